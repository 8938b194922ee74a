// A job as plain data: what to do, with which settings, on which content. JSON in a file, a queue or a message.
import * as z from "zod";
import { ConfigError, type ConfigIssue, shownValue } from "../errors.ts";
import {
  type Compression,
  type Environment,
  type Fingerprints,
  type JobEvent,
  jobEvent,
  openSettings,
  type Running,
  type RunRecord,
  running,
  type Stoppable,
} from "../runs/index.ts";
import {
  resolveComparison,
  resolvePartial,
  resolveSettings,
  type SettingsInput,
  settingsInput,
} from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import { parseBoundedJson } from "../tensor/index.ts";
import type { TrainEvent } from "../train/index.ts";
import { type CompareEvent, compareRuns } from "./compare/compare.ts";
import type { Comparison } from "./compare/comparison.ts";
import { compressRun } from "./compress/compress.ts";
import type { CompressEvent } from "./compress/event.ts";
import { compressOptions } from "./compress/options.ts";
import { evaluateRun } from "./evaluate/evaluate.ts";
import { type TrainedRun, trainRun } from "./train/train.ts";

/** A run's folder, or a model with an optional adapter. */
export type JobTarget =
  | { readonly kind: "run"; readonly folder: string }
  | { readonly kind: "model"; readonly model: string; readonly adapter: string | null };

/** What every job may say. */
interface AnyJob {
  /** Settings as flags and configuration files spell them: `{ "max-length": 64 }`. */
  readonly settings: SettingsInput;
  /** What the job's inputs must hold, by part as in `run.json`; a part that is not here may hold anything. */
  readonly fingerprints?: Fingerprints | undefined;
}

export interface TrainJob extends AnyJob {
  readonly job: "train";
}

/** Runs with and without the density loss, by `methods` and `seeds`. */
export interface CompareJob extends AnyJob {
  readonly job: "compare";
}

export interface EvaluateJob extends AnyJob {
  readonly job: "evaluate";
  readonly target: JobTarget;
}

export interface CompressJob extends AnyJob {
  readonly job: "compress";
  readonly target: JobTarget;
  /** The flags of `deft compress` that are its own: `{ "output": "small", "score-budget": 1 }`. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A job as plain data. */
export type Job = TrainJob | CompareJob | EvaluateJob | CompressJob;

/** What each kind of job gives. */
export interface JobResults {
  readonly train: TrainedRun;
  readonly compare: Comparison;
  readonly evaluate: Evaluation;
  readonly compress: Compression;
}

interface DataWarning {
  readonly type: "warning";
  readonly message: string;
}

/** What a job says on its way; an evaluation says only what a person should know of its data. */
export type AnyJobEvent = JobEvent<TrainEvent | CompareEvent | CompressEvent | DataWarning>;

const settings = z.record(z.string(), z.unknown()).default({});
const fingerprints = z.record(z.string(), z.string().min(1)).optional();
const target = z.union([
  z.strictObject({ kind: z.literal("run"), folder: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("model"),
    model: z.string().min(1),
    adapter: z.string().min(1).nullable().default(null),
  }),
]);
const JOB = z.discriminatedUnion("job", [
  z.strictObject({ job: z.literal("train"), settings, fingerprints }),
  z.strictObject({ job: z.literal("compare"), settings, fingerprints }),
  z.strictObject({ job: z.literal("evaluate"), target, settings, fingerprints }),
  z.strictObject({
    job: z.literal("compress"),
    target,
    options: z.record(z.string(), z.unknown()),
    settings,
    fingerprints,
  }),
]);

/** The job that makes a run again, of the same content. */
export function jobOf({ settings: made, fingerprints: of }: Pick<RunRecord, "settings" | "fingerprints">): TrainJob {
  return { job: "train", settings: settingsInput(made), fingerprints: of };
}

/**
 * A job from its JSON, with every setting checked; files and folders are looked at only when it starts.
 * @throws {ConfigError} with every mistake.
 */
export function readJob(text: string): Job {
  const value = jsonOf(text);
  const parsed = JOB.safeParse(value);
  if (!parsed.success) throw new ConfigError(issuesOf(value, parsed.error));
  const job = parsed.data as Job;
  checkJob(job);
  return job;
}

const EXPECTED: Readonly<Record<string, string>> = {
  job: "train, compare, compress or evaluate",
  settings: "settings by name",
  fingerprints: "fingerprints by part, such as base and data",
  target: '{ "kind": "run", "folder" } or { "kind": "model", "model", "adapter" }',
  options: "flags of deft compress by name",
};

function issuesOf(value: unknown, { issues }: z.ZodError): ConfigIssue[] {
  const given = (typeof value === "object" && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const keys = issues.flatMap((issue) =>
    issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys : [String(issue.path[0] ?? "job")],
  );
  return [...new Set(keys)].map((key) => ({
    path: key,
    expected: EXPECTED[key] ?? "no such key",
    got: shownValue(given[key]),
  }));
}

function jsonOf(text: string): unknown {
  try {
    return parseBoundedJson(text);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([{ path: "job", expected: "a job's JSON", got }]);
  }
}

/** @throws {ConfigError} with every mistake of its settings. */
function checkJob(job: Job): void {
  const flags = job.settings;
  if (job.job === "train") resolveSettings({ flags });
  else if (job.job === "compare") resolveComparison({ flags });
  else resolvePartial({ flags });
  if (job.job === "compress") compressOptions(job.options);
}

/**
 * Does a job on this machine. Iterate for its events, each with the job's kind and time, as `events.jsonl` keeps them; await `result`.
 * Errors as those of the job, and {@link ConfigError} where its content is not what the job was made for.
 */
export function startJob<J extends Job>(
  environment: Environment,
  job: J,
  stoppable: Stoppable = {},
): Running<AnyJobEvent, JobResults[J["job"]]> {
  return running(jobSteps(environment, job, stoppable) as AsyncGenerator<AnyJobEvent, JobResults[J["job"]]>);
}

async function* jobSteps(
  environment: Environment,
  job: Job,
  stoppable: Stoppable,
): AsyncGenerator<AnyJobEvent, JobResults[keyof JobResults]> {
  const { settings: flags, fingerprints: expected } = job;
  const extras = { ...stoppable, ...(expected === undefined ? {} : { fingerprints: expected }) };
  switch (job.job) {
    case "train": {
      const opened = await openSettings(environment.files, { flags });
      return yield* enveloped("train", trainRun(environment, opened, extras));
    }
    case "compare":
      return yield* enveloped("compare", compareRuns(environment, resolveComparison({ flags }), extras));
    case "compress": {
      const overrides = resolvePartial({ flags });
      const options = compressOptions(job.options);
      return yield* enveloped("compress", compressRun(environment, job.target, options, overrides, extras));
    }
    case "evaluate": {
      const warnings: AnyJobEvent[] = [];
      const evaluation = await evaluateRun(environment, job.target, resolvePartial({ flags }), {
        fingerprints: expected,
        onWarning: ({ message }) => warnings.push(jobEvent("evaluate", { type: "warning", message })),
      });
      yield* warnings;
      return evaluation;
    }
  }
}

/** Events in a job's envelope. */
async function* enveloped<Event extends { readonly type: string }, Result>(
  kind: Job["job"],
  job: Running<Event, Result>,
): AsyncGenerator<JobEvent<Event>, Result> {
  for await (const event of job) yield jobEvent(kind, event);
  return job.result;
}
