// Which head an opened run or model has: by its task, or by what it holds.
import { seq2seqTask, squadTask, type Task } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { isHeadName, type Model } from "../models/index.ts";
import { TASKS, type TaskName } from "../settings/index.ts";
import type { HeadKind } from "../tasks/index.ts";
import type { BaseModel } from "./base-model.ts";

/** What is known of an opened model that bears on its head. */
export interface HeadFacts {
  readonly task: TaskName | null;
  readonly labels: readonly string[];
  /** Where labels say it: the answer is a number. */
  readonly isRegression: boolean;
  /** It has the parameters that point into a text. */
  readonly points: boolean;
}

/**
 * The head a task needs of a model: a question is answered by pointing where the model is an encoder, by writing where it is an
 * encoder–decoder.
 * @throws {ConfigError} when such a model cannot do the task.
 */
export function headOf(
  task: Pick<Task, "name" | "kind" | "labels">,
  base: Pick<BaseModel, "name" | "model">,
): HeadKind {
  const { architecture, config } = base.model;
  const writes = architecture === "encoder-decoder";
  if (task.kind === "question-answering") return { kind: writes ? "language-model" : "span" };
  if ((task.kind === "seq2seq") !== writes) {
    const [expected, others] = writes
      ? ["an encoder (bert, roberta)", "squad and seq2seq"]
      : ["an encoder–decoder (t5)", "other tasks"];
    throw new ConfigError([{ path: `--task ${task.name}`, expected, got: `${base.name} (${config.modelType})` }], {
      hint: `Such a model does ${others}.`,
    });
  }
  if (writes) return { kind: "language-model" };
  return task.kind === "regression"
    ? { kind: "regression" }
    : { kind: "classification", numLabels: task.labels.length };
}

/** The head of an opened model. @throws {ConfigError} when the model cannot do the task. */
export function targetHead(base: BaseModel, { task, labels, isRegression, points }: HeadFacts): HeadKind {
  if (task === "squad") return headOf(squadTask(false), base);
  if (task === "seq2seq") return headOf(seq2seqTask(), base);
  if (base.model.architecture === "encoder-decoder") return { kind: "language-model" };
  if (points && task === null) return { kind: "span" };
  return isRegression ? { kind: "regression" } : { kind: "classification", numLabels: labels.length };
}

/** What a checkpoint of transformers' classes answers, by the end of the class's name. */
const ANSWERS: Readonly<Record<string, { readonly says: string; readonly heads: readonly HeadKind["kind"][] }>> = {
  ForCausalLM: { says: "which continues a text", heads: [] },
  ForConditionalGeneration: { says: "which writes a text", heads: ["language-model"] },
  ForImageClassification: { says: "which names what a picture shows", heads: [] },
  ForMaskedLM: { says: "which fills gaps in a text", heads: [] },
  ForMultipleChoice: { says: "which chooses among several texts", heads: [] },
  ForNextSentencePrediction: { says: "which tells whether a sentence follows another", heads: [] },
  ForPreTraining: { says: "which was pretrained and has no task yet", heads: [] },
  ForQuestionAnswering: { says: "which points at answers in a text", heads: ["span"] },
  ForSequenceClassification: {
    says: "which classifies a text",
    heads: ["classification", "multi-label", "regression"],
  },
  ForTokenClassification: { says: "which labels each token", heads: [] },
};

/** What a checkpoint is for, where its config.json names a class whose head is another than `head`; null where it may be that one. */
export function otherArchitecture({ config }: Pick<BaseModel, "config">, head: HeadKind): string | null {
  const [name]: unknown[] = Array.isArray(config.architectures) ? config.architectures : [];
  if (typeof name !== "string") return null;
  const end = /For[A-Z]\w*$/.exec(name)?.[0] ?? "";
  const answer = Object.hasOwn(ANSWERS, end) ? ANSWERS[end] : undefined;
  return answer === undefined || answer.heads.includes(head.kind) ? null : `${name}, ${answer.says}`;
}

/** Whether names of parameters are those of a head that points. */
export function hasSpanHead(names: Iterable<string>): boolean {
  for (const name of names) if (name.startsWith("qa_outputs.")) return true;
  return false;
}

/** Whether among an adapter's tensors there is a head, so that the base's own says nothing. */
export function bringsHead(model: Model, names: Iterable<string>): boolean {
  for (const name of names) if (isHeadName(model, name) && !name.includes(".lora_")) return true;
  return false;
}

/** The task of that name; null when there is none. */
export function taskNamed(name: unknown): TaskName | null {
  return TASKS.find((task) => task === name) ?? null;
}

/** A head in words. */
export const HEAD_NAMES: Readonly<Record<HeadKind["kind"], string>> = {
  classification: "a classification head",
  "multi-label": "a classification head",
  regression: "a regression head",
  span: "a question-answering head",
  "language-model": "a language-model head",
};
