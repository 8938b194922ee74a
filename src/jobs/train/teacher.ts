// A teacher: a model trained before, whose logits for the training examples are learned from beside the labels.
import { matchClasses, type Task } from "../../data/index.ts";
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import type { PlannedBatches } from "../../evaluate/index.ts";
import { fingerprint } from "../../hub/index.ts";
import { type OpenedTarget, openTarget, type RunTarget } from "../../load/index.ts";
import { COMPRESSION_FILE, type Environment } from "../../runs/index.ts";
import type { DistillationSettings, Settings } from "../../settings/index.ts";
import { type HeadKind, headRecord, type ModelBatch } from "../../tasks/index.ts";
import { joinPath, memoryWeights } from "../../tensor/index.ts";
import type { BatchSource, TeacherEvent } from "../../train/index.ts";
import { runTeacher, type Teacher, type TeacherOptions } from "./teacher-logits.ts";

/** What a run learns from: its batches, and the loss of the best constant answer to them. */
export interface TrainingBatches {
  readonly batches: BatchSource;
  readonly chanceLoss: number;
}

/**
 * Opens the teacher that the settings name, or takes one that is open already; null where they name none.
 * @throws {ConfigError} with every reason why it cannot teach this task: another task, other labels, another head; errors as `openTarget`.
 */
export async function openTeacher(
  environment: Environment,
  settings: Pick<Settings, "distillation" | "data">,
  student: { readonly task: Task; readonly head: HeadKind },
  open?: OpenedTarget,
): Promise<Teacher | null> {
  const { distillation } = settings;
  if (!distillation) return null;
  if (headRecord(student.head).writes) {
    const expected = "a model that answers by labels or by pointing, whose logits are learned";
    throw new ConfigError([{ path: `--teacher ${distillation.teacher}`, expected, got: "one that writes texts" }]);
  }
  const { files } = environment;
  const opened = open ?? (await openTarget(environment, await targetOf(environment, distillation), {}));
  const issues = misfits(opened, student, `--teacher ${distillation.teacher}`);
  if (issues.length > 0)
    throw new ConfigError(issues, { hint: "A teacher is a run of the same task on data with the same labels." });
  const print =
    opened.trained.size === 0 ? opened.base.fingerprint : await fingerprint(files, memoryWeights(opened.trained));
  const match = sameClasses(opened.labels, student.task);
  const classes = match?.some((place, index) => place !== index) ? match : null;
  return { name: distillation.teacher, opened, fingerprint: print, weight: distillation.weight, classes };
}

async function targetOf({ files }: Environment, { teacher }: DistillationSettings): Promise<RunTarget> {
  for (const file of ["run.json", COMPRESSION_FILE])
    if ((await files.stat(joinPath(teacher, file))) !== null) return { kind: "run", folder: teacher };
  return { kind: "model", model: teacher, adapter: null };
}

function misfits(
  { task: taught, head: has, labels }: OpenedTarget,
  { task, head }: { readonly task: Task; readonly head: HeadKind },
  path: string,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (taught !== null && taught !== task.name)
    issues.push({ path, expected: `a run of --task ${task.name}`, got: `one of ${taught}` });
  const [needed, given] = [headRecord(head), headRecord(has)];
  if (has.kind !== head.kind) issues.push({ path, expected: needed.name, got: given.name });
  else if (needed.classNames(task.labels) !== null && sameClasses(labels, task) === null) {
    const expected = `the labels of the data, ${JSON.stringify(task.labels)}`;
    issues.push({ path, expected, got: JSON.stringify(labels) });
  }
  return issues;
}

/** For each class of the task the teacher's, by name; null where names do not tell. A regression's only logit needs no name. */
function sameClasses(labels: readonly string[], task: Task): readonly number[] | null {
  if (task.labels.length === 0) return labels.length <= 1 ? [] : null;
  return matchClasses(task.labels, labels, { isOfficial: task.isOfficialOrder === true });
}

/**
 * Asks the teacher for its logits of every example that the run will meet, once, and frees its program: batches then have
 * `teacherLogits` `[B, C]`, or of places `[B, S, 2]`. Null when `signal` was aborted meanwhile.
 * @throws {ConfigError} when it is to point into texts that it reads as other tokens; errors as `Backend.compile`.
 */
export async function* withTeacherLogits(
  teacher: Teacher | null,
  options: TeacherOptions,
): AsyncGenerator<TeacherEvent, TrainingBatches | null> {
  const { task, trainExamples, batches, steps, settings, classWeights } = options;
  // a teacher of weight 0 says nothing
  if (teacher === null || teacher.weight === 0)
    return { batches, chanceLoss: headRecord(options.head).chanceLoss(trainExamples, task, { classWeights }) };
  const met = seenExamples(batches, steps * settings.optim.accumulate);
  const told = yield* runTeacher(teacher, met, options);
  if (told === null) return null;
  const taught = (batch: ModelBatch): ModelBatch => ({
    ...batch,
    inputs: { ...batch.inputs, teacherLogits: told.of(batch) },
  });
  return {
    batches: {
      batchesPerEpoch: batches.batchesPerEpoch,
      epoch(number) {
        const epoch = batches.epoch(number);
        return { batch: (index) => taught(epoch.batch(index)), describe: (index) => epoch.describe(index) };
      },
    },
    chanceLoss: told.chanceLoss,
  };
}

/** The examples of the first `microBatches` batches, ascending: an epoch meets all of them. */
function seenExamples(batches: PlannedBatches, microBatches: number): number[] {
  const first = batches.epoch(0);
  const count = Math.min(microBatches, batches.batchesPerEpoch);
  const indices = Array.from({ length: count }, (_, batch) => Array.from(first.indices(batch))).flat();
  return indices.sort((a, b) => a - b);
}
