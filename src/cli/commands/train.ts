// `deft train`: fine-tunes, shows it, and leaves a whole run folder behind.
import { FileError } from "../../errors.ts";
import type { TrainEstimate } from "../../jobs/index.ts";
import {
  bytes,
  count,
  duration,
  evaluationFacts,
  evaluationJson,
  percent,
  renderTable,
  shellLine,
  toJson,
} from "../../report/index.ts";
import { openSettings, type RunRecord } from "../../runs/index.ts";
import { taskNamed } from "../../tasks/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { TrainEvent } from "../../train/index.ts";
import type { Body } from "../command.ts";
import { eventDisplay, follow } from "../follow.ts";
import { INTERRUPTED, interruptible } from "../interrupt.ts";
import { tensorBoardSink, writeRunOutputs } from "../run-outputs.ts";
import { settingsSources } from "../settings-source.ts";
import type { Terminal } from "../terminal.ts";
import { openFiles, openWorkflow } from "../workflow.ts";

export const run: Body = async ({ args, flags: { "dry-run": dryRun, ...flags }, terminal, json }) => {
  const files = await openFiles();
  const settings = await openSettings(files, await settingsSources(files, args[0], flags));
  const workflow = await openWorkflow(terminal);
  if (dryRun === true) {
    const estimate = await workflow.estimate(settings);
    terminal.print(json ? JSON.stringify(toJson(estimate)) : estimateText(estimate));
    return 0;
  }
  const interrupt = interruptible(terminal);
  try {
    const running = workflow.train(settings, { signal: interrupt.signal });
    const { output } = settings;
    const display = eventDisplay(terminal);
    const show = (event: TrainEvent) => {
      if (event.type === "start") interrupt.saves(true);
      display(event);
    };
    await follow(running, show, output === null ? [] : [tensorBoardSink(files, output)]);
    const { record, folder, interrupted } = await running.result;
    if (folder !== null) await writeRunOutputs(files, folder);
    if (json)
      terminal.print(
        JSON.stringify(toJson({ run: folder, interrupted, result: record.result && evaluationJson(record.result) })),
      );
    else printSummary(terminal, record, interrupted ? null : folder);
    if (!interrupted) return 0;
    if (folder !== null) terminal.warn(`Saved. To go on:\n  ${resumeLine(folder)}`);
    return INTERRUPTED;
  } catch (error) {
    const { output } = settings;
    // a full disk, a lost file: mended, the run goes on
    if (error instanceof FileError && output !== null && (await files.stat(joinPath(output, "run.json"))) !== null)
      terminal.warn(`Once that is mended, go on with:\n  ${resumeLine(output)}\n`);
    throw error;
  } finally {
    interrupt.saves(false);
  }
};

const resumeLine = (folder: string) => shellLine(["deft", "train", "--output", folder, "--resume"]);

function estimateText(estimate: TrainEstimate): string {
  const { trainableParameters, totalParameters, peakRssBytes, durationMs } = estimate;
  const rows = [
    [
      "trained parameters",
      `${count(trainableParameters)} of ${count(totalParameters)} (${percent(trainableParameters / totalParameters, 2)})`,
    ],
    ["training examples", count(estimate.trainExamples)],
    ["evaluation examples", count(estimate.evalExamples)],
    ["steps", count(estimate.totalSteps)],
    ["weights", bytes(estimate.weightBytes)],
    ["peak memory", peakRssBytes === null ? "not estimated" : `about ${bytes(peakRssBytes)}`],
    ["time", durationMs === null ? "not estimated" : `about ${duration(durationMs)}`],
  ];
  return renderTable({ head: ["dry run", ""], rows }).join("\n");
}

function printSummary(terminal: Terminal, { result, settings }: RunRecord, folder: string | null): void {
  const bold = (text: string) => terminal.style("bold", text, "out");
  if (result !== null) {
    terminal.print(renderTable({ head: ["result", ""], rows: evaluationFacts(result) }, bold).join("\n"));
  }
  if (folder === null || terminal.loudness === "silent") return;
  const next = [
    ["deft", "eval", folder],
    ["deft", "predict", folder, ...taskNamed(settings.task).exampleInput],
    ["deft", "profile", folder],
  ];
  terminal.note(`\nNext: open ${folder}/report.html, or\n${next.map((words) => `  ${shellLine(words)}`).join("\n")}`);
}
