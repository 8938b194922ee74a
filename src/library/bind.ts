// Jobs bound to one machine: each takes the environment first, and is called without it.
import {
  type AnyJobEvent,
  benchRuns,
  compareRuns,
  compressRun,
  demoRun,
  estimateRun,
  evaluateRun,
  exportOnnx,
  exportRun,
  type Job,
  type JobResults,
  predictFile,
  predictRun,
  profileRun,
  proposeSettings,
  pruneModel,
  startJob,
  trainRun,
  writePredictions,
} from "../jobs/index.ts";
import type { Environment, Running, Stoppable } from "../runs/index.ts";

/** A function that takes the environment first. */
type OnEnvironment = (environment: Environment, ...rest: never[]) => unknown;

/** Jobs without their first parameter. */
export type Bound<Jobs extends Readonly<Record<string, OnEnvironment>>> = {
  readonly [Name in keyof Jobs]: Jobs[Name] extends (environment: Environment, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Each job on the files, hub and runtime of `environment`. */
export function bind<Jobs extends Readonly<Record<string, OnEnvironment>>>(
  environment: Environment,
  jobs: Jobs,
): Bound<Jobs> {
  const bound = Object.entries(jobs).map(([name, job]) => [name, job.bind(null, environment)]);
  return Object.fromEntries(bound) as Bound<Jobs>;
}

/** Every job by the name that faces call it. */
const JOBS = {
  /** Settings for data, as `deft init` writes them. */
  propose: proposeSettings,
  /** A job that was described as plain data. */
  start: startJob,
  train: trainRun,
  estimate: estimateRun,
  compare: compareRuns,
  demo: demoRun,
  evaluate: evaluateRun,
  predict: predictRun,
  predictFile,
  writePredictions,
  profile: profileRun,
  prune: pruneModel,
  exportModel: exportRun,
  compress: compressRun,
  exportOnnx,
  bench: benchRuns,
};

/** The workflow as the faces see it, already bound to files, backend and hub. */
export interface Workflow extends Bound<Omit<typeof JOBS, "start">> {
  /** Does a job that was described as plain data; what it gives follows from the job's kind, which a bound type would lose. */
  readonly start: <J extends Job>(job: J, stoppable?: Stoppable) => Running<AnyJobEvent, JobResults[J["job"]]>;
}

/** Every job, on the files, hub and runtime of `environment`. */
export const workflow = (environment: Environment): Workflow => bind(environment, JOBS) as Workflow;
