// PEFT against DEFT: the same run without and with the density loss, cell by cell.
import { InternalError } from "../../errors.ts";
import type { Environment, RunRecord } from "../../runs/index.ts";
import { checkUnchanged, type Running, readOutcomes, readRun, running, type Stoppable } from "../../runs/index.ts";
import { type ComparisonCell, resolveComparison, type Settings, settingsInput } from "../../settings/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import { type Files, joinPath, parentFolder } from "../../tensor/index.ts";
import type { TrainEvent } from "../../train/index.ts";
import type { TrainOptions } from "../train/run-job.ts";
import { onSwappedBase, withoutPrints } from "../train/swapped-base.ts";
import { trainRun } from "../train/train.ts";
import {
  type Comparison,
  type ComparisonRow,
  comparisonRow,
  pairedOverSeeds,
  type ScoreInterval,
} from "./comparison.ts";

/** A comparison's progress: a training event of one of its runs, or a finished row. */
export type CompareEvent =
  | {
      readonly type: "run";
      readonly method: string;
      readonly seed: number;
      readonly variant: "peft" | "deft";
      /** Runs before this one, and in all. */
      readonly index: number;
      readonly total: number;
      readonly event: TrainEvent;
    }
  | { readonly type: "row"; readonly row: ComparisonRow };

/** The demo's outcome: a comparison with the facts a reader needs to judge it. */
export interface DemoResult {
  readonly comparison: Comparison;
  /** One sentence each: what the model and the data are, and their licences. */
  readonly model: string;
  readonly data: string;
  readonly durationMs: number;
  readonly runs: readonly {
    readonly name: string;
    readonly record: RunRecord;
    readonly events: readonly TrainEvent[];
  }[];
}

/** What every run of a comparison is given. */
type CompareOptions = Stoppable & Pick<TrainOptions, "fingerprints">;

/** Runs every cell; finished runs are read back instead of run again when the settings say resume. */
export function compareRuns(
  environment: Environment,
  cells: readonly ComparisonCell[],
  options: CompareOptions = {},
): Running<CompareEvent, Comparison> {
  return running(compareEvents(environment, cells, options, () => {}));
}

type Note = (name: string, record: RunRecord, events: readonly TrainEvent[]) => void;

async function* compareEvents(
  environment: Environment,
  given: readonly ComparisonCell[],
  asked: CompareOptions,
  note: Note,
): AsyncGenerator<CompareEvent, Comparison> {
  const cells = await onOneBase(environment, given, asked);
  const options = given[0]!.peft.activation === null ? asked : withoutPrints(asked);
  const rows: ComparisonRow[] = [];
  const total = cells.length * 2;
  let index = 0;
  let metricName = "";
  for (const cell of cells) {
    let plain: readonly TrainEvent[] = [];
    const evaluations: Partial<Record<"peft" | "deft", Evaluation>> = {};
    for (const variant of ["peft", "deft"] as const) {
      const settings = await resumable(environment, cell[variant]);
      const events: TrainEvent[] = [];
      const run = settings === null ? null : trainRun(environment, settings, { ...options, reference: plain });
      if (run) {
        for await (const event of run) {
          events.push(event);
          yield { type: "run", method: cell.method, seed: cell.seed, variant, index, total, event };
        }
      }
      const stored = cell[variant].output === null ? null : await readRun(environment.files, cell[variant].output);
      const record = run ? (await run.result).record : stored!.record;
      if (variant === "peft") plain = stored?.events ?? events;
      index++;
      if (record.result === null) return comparisonOf(environment.files, cells, rows, metricName);
      note(`${cell.method} ${variant}`, record, events);
      metricName = record.metricName;
      evaluations[variant] = record.result;
    }
    const { peft, deft } = evaluations;
    if (!peft || !deft) throw new InternalError("a finished cell without both evaluations");
    const row = comparisonRow({ method: cell.method, seed: cell.seed, peft, deft }, metricName);
    rows.push(row);
    yield { type: "row", row };
  }
  return comparisonOf(environment.files, cells, rows, metricName);
}

/** Cells on one model with another activation, where they ask for it: it is made once, beside their folders. */
async function onOneBase(
  environment: Environment,
  cells: readonly ComparisonCell[],
  options: CompareOptions,
): Promise<readonly ComparisonCell[]> {
  const { peft } = cells[0]!;
  const keeper = peft.output === null ? null : parentFolder(peft.output);
  const { model, activation } = await onSwappedBase(environment, peft, keeper, options);
  return cells.map((cell) => ({
    ...cell,
    peft: { ...cell.peft, model, activation },
    deft: { ...cell.deft, model, activation },
  }));
}

/** Null when the run is finished already; with resume, a run that never began is simply begun. */
async function resumable({ files }: Environment, settings: Settings): Promise<Settings | null> {
  if (!settings.resume || settings.output === null) return settings;
  if ((await files.stat(joinPath(settings.output, "run.json"))) === null) return settings;
  const { record } = await readRun(files, settings.output);
  checkUnchanged(settingsInput(record.settings), settingsInput(settings));
  return record.result === null ? settings : null;
}

async function comparisonOf(
  files: Files,
  cells: readonly ComparisonCell[],
  rows: readonly ComparisonRow[],
  metricName: string,
): Promise<Comparison> {
  const methods = [...new Set(rows.map(({ method }) => method))];
  const found = await Promise.all(methods.map((method) => intervalOf(files, method, cells, rows)));
  const intervals = found.filter((interval) => interval !== null);
  const { task, model } = cells[0]!.deft;
  return { task, model, metricName, rows, ...(intervals.length > 0 ? { intervals } : {}) };
}

async function intervalOf(
  files: Files,
  method: string,
  cells: readonly ComparisonCell[],
  rows: readonly ComparisonRow[],
): Promise<ScoreInterval | null> {
  const seeds = rows.filter((row) => row.method === method).map(({ seed }) => seed);
  const pairs = [];
  for (const cell of cells) {
    if (cell.method !== method || !seeds.includes(cell.seed)) continue;
    if (cell.peft.output === null || cell.deft.output === null) return null;
    const [peft, deft] = [await readOutcomes(files, cell.peft.output), await readOutcomes(files, cell.deft.output)];
    if (peft === null || deft === null) return null;
    pairs.push({ peft, deft });
  }
  const interval = pairedOverSeeds(pairs);
  return interval && { method, seeds, examples: pairs[0]!.peft.length, ...interval };
}

/** The demo: the shipped encoder on the shipped data, without and with the density loss. */
export function demoRun(
  environment: Environment,
  {
    output,
    seed,
    threads,
    ...options
  }: { readonly output: string; readonly seed?: number; readonly threads?: number } & Stoppable,
): Running<CompareEvent, DemoResult> {
  return running(demoEvents(environment, { output, seed, threads }, options));
}

async function* demoEvents(
  environment: Environment,
  {
    output,
    seed,
    threads,
  }: { readonly output: string; readonly seed: number | undefined; readonly threads: number | undefined },
  options: Stoppable,
): AsyncGenerator<CompareEvent, DemoResult> {
  const started = performance.now();
  const folder = joinPath(environment.assetsFolder, "demo");
  const cells = resolveComparison({
    flags: {
      ...DEMO,
      model: joinPath(folder, "model"),
      data: joinPath(folder, "data"),
      output,
      ...(seed === undefined ? {} : { seed }),
      ...(threads === undefined ? {} : { threads }),
    },
  });
  for (const { peft, deft } of cells) for (const run of [peft, deft]) await environment.files.remove(run.output!);
  const runs: { name: string; record: RunRecord; events: readonly TrainEvent[] }[] = [];
  const note: Note = (name, record, events) => runs.push({ name, record, events });
  const comparison = yield* compareEvents(environment, cells, options, note);
  return {
    comparison,
    model: "Model: a 3-layer BERT distilled by this project from all-MiniLM-L6-v2 (Apache-2.0).",
    data: "Data: WordNet noun glosses to their lexicographer's category (WordNet licence); the dev glosses were not seen in distillation.",
    durationMs: performance.now() - started,
    runs,
  };
}

/** The demo's settings: about a minute a run on two cores. */
const DEMO = {
  task: "text-classification",
  method: "lora",
  targets: ["all-linear"],
  epochs: 1,
  "batch-size": 16,
  "learning-rate": 1e-3,
  "max-length": 64,
  "eval-steps": 47,
  seed: 1,
} as const;
