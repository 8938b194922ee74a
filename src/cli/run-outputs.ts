// What a run's folder gets beside its records: TensorBoard files while it runs, page and card at its end.
import {
  type RunReport,
  runFiles,
  tensorBoardFileName,
  tensorBoardHeader,
  tensorBoardRecords,
} from "../report/index.ts";
import { readOutcomes, readRun } from "../runs/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import type { EventSink } from "./follow.ts";

const FLUSH_STEPS = 50;

/** Appends events to a TensorBoard file of this process in `RUN/tensorboard`. */
export function tensorBoardSink(files: Files, folder: string): EventSink {
  let path: string | null = null;
  let held: Uint8Array[] = [];
  const flush = async () => {
    if (path !== null && held.length > 0) await files.append(path, Buffer.concat(held));
    held = [];
  };
  return {
    async take(event) {
      if (path === null) {
        path = joinPath(folder, "tensorboard", tensorBoardFileName(event.time));
        await files.makeFolder(joinPath(folder, "tensorboard"));
        held.push(tensorBoardHeader(event.time));
      }
      held.push(tensorBoardRecords(event));
      if (event.type !== "step" || held.length >= FLUSH_STEPS) await flush();
    },
    close: flush,
  };
}

/** The run in a folder with what it answered. Errors as `readRun` and `readOutcomes`. */
export async function readRunReport(files: Files, folder: string): Promise<RunReport> {
  return { ...(await readRun(files, folder)), outcomes: await readOutcomes(files, folder) };
}

/** Writes `report.html`, the model card and the result files of the run in `folder`. */
export async function writeRunOutputs(
  files: Files,
  folder: string,
  options: { readonly baseline?: Evaluation } = {},
): Promise<RunReport> {
  const run = await readRunReport(files, folder);
  for (const { path, content } of runFiles(run, options)) await files.write(joinPath(folder, path), content);
  return run;
}
