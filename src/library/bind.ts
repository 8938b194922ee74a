// Jobs bound to one machine: each takes the environment first, and is called without it.
import {
  benchRuns,
  compareRuns,
  compressRun,
  demoRun,
  estimateRun,
  evaluateRun,
  exportOnnx,
  exportRun,
  predictFile,
  predictRun,
  profileRun,
  proposeSettings,
  pruneModel,
  trainRun,
  writePredictions,
} from "../jobs/index.ts";
import type { Environment } from "../runs/index.ts";

/** A function that takes the environment first. */
type Job = (environment: Environment, ...rest: never[]) => unknown;

/** Jobs without their first parameter. */
export type Bound<Jobs extends Readonly<Record<string, Job>>> = {
  readonly [Name in keyof Jobs]: Jobs[Name] extends (environment: Environment, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Each job on the files, hub and runtime of `environment`. */
export function bind<Jobs extends Readonly<Record<string, Job>>>(environment: Environment, jobs: Jobs): Bound<Jobs> {
  const bound = Object.entries(jobs).map(([name, job]) => [name, job.bind(null, environment)]);
  return Object.fromEntries(bound) as Bound<Jobs>;
}

/** Every job by the name that faces call it. */
const JOBS = {
  /** Settings for data, as `deft init` writes them. */
  propose: proposeSettings,
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
export type Workflow = Bound<typeof JOBS>;

/** Every job, on the files, hub and runtime of `environment`. */
export const workflow = (environment: Environment): Workflow => bind(environment, JOBS);
