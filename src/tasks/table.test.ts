// The table of tasks: what each head is fed, how its logits lie, and which head a config.json says.
import { describe, expect, test } from "vitest";
import type { EncodedExamples } from "../data/index.ts";
import { DataError, InternalError } from "../errors.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { LogitRows } from "./example-logits.ts";
import type { HeadKind } from "./head.ts";
import { headOfConfig, headRecord, readingHead, TASK_NAMES, taskNamed, taskOfHead, taskRecord } from "./table.ts";

const examples = (fields: Partial<EncodedExamples>) => fields as EncodedExamples;
const feedsOf = (head: HeadKind, of: EncodedExamples, indices: readonly number[], isRequired = true) =>
  headRecord(head).feeds(of, indices, { length: 4, padding: "longest", isRequired, head });

describe("labels of a batch", () => {
  const labelled = examples({ labels: Float64Array.of(1, 0, 2) });
  const unlabelled = examples({ labels: Float64Array.of(3.8, Number.NaN) });

  test("are class indices", () => {
    const { labels } = feedsOf({ kind: "classification", numLabels: 3 }, labelled, [2, 0]);
    expect(labels).toEqual({ dtype: "int64", shape: [2], data: BigInt64Array.of(2n, 1n) });
  });

  test("are float32 scores of a regression", () => {
    const { labels } = feedsOf({ kind: "regression" }, unlabelled, [0]);
    expect(labels).toEqual({ dtype: "float32", shape: [1], data: Float32Array.of(3.8) });
  });

  test("are refused where one is missing, or zeros where they are not read", () => {
    for (const kind of ["classification", "regression"]) {
      expect(() => feedsOf({ kind, numLabels: 3 }, unlabelled, [0, 1])).toThrow(DataError);
      expect(Array.from(feedsOf({ kind, numLabels: 3 }, unlabelled, [0, 1], false).labels!.data, Number)).toEqual([
        0, 0,
      ]);
    }
  });
});

describe("logits of examples", () => {
  const lengths = Int32Array.of(2, 3, 1);

  test("of a head over a text stand in rows, in the order of the examples", () => {
    const head = { kind: "classification", numLabels: 2 };
    const rows = new LogitRows(head, readingHead(head), { lengths });
    rows.add({ logits: float32([2, 2], [5, 6, 1, 2]) }, [2, 0]);
    rows.add({ logits: float32([1, 2], [3, 4]) }, [1]);
    expect([...rows.logits.all]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...rows.logits.of(1)]).toEqual([3, 4]);
  });

  test("of a head that points leave padding out, by either program's names", () => {
    const head = { kind: "span" };
    const batch: readonly [string, Tensor][] = [
      ["start", float32([2, 3], [1, 2, 9, 3, 4, 5])],
      ["end", float32([2, 3], [6, 7, 9, 8, 10, 11])],
    ];
    for (const name of [(part: string) => `${part}Logits`, (part: string) => `${part}_logits`]) {
      const rows = new LogitRows(head, readingHead(head), { lengths });
      rows.add(Object.fromEntries(batch.map(([part, tensor]) => [name(part), tensor])), [0, 1]);
      expect([...rows.logits.of(0)]).toEqual([1, 2, 6, 7]);
      expect([...rows.logits.of(1)]).toEqual([3, 4, 5, 8, 10, 11]);
    }
  });
});

describe("the head of a config.json", () => {
  test.each([
    ["BertForSequenceClassification", undefined, 3, "classification"],
    ["BertForSequenceClassification", undefined, 1, "regression"],
    ["RobertaForSequenceClassification", "multi_label_classification", 3, "multi-label"],
    ["RobertaForSequenceClassification", "single_label_classification", 2, "classification"],
    ["BertForSequenceClassification", "regression", 1, "regression"],
    ["BertForQuestionAnswering", undefined, 2, "span"],
    ["T5ForConditionalGeneration", undefined, 2, "language-model"],
    ["BertForMaskedLM", undefined, 2, null],
  ])("%s, problem_type %s, %i labels: %s", (architecture, problem, count, kind) => {
    const labels = Array.from({ length: count }, (_, i) => `LABEL_${i}`);
    const config = { architectures: [architecture], ...(problem === undefined ? {} : { problem_type: problem }) };
    expect(headOfConfig(config, labels)?.kind ?? null).toBe(kind);
  });

  test("is none where no class is named", () => expect(headOfConfig({}, ["a"])).toBeNull());
});

test("every name of a task has a record, and every reading head the task that it does", () => {
  for (const name of TASK_NAMES) {
    const record = taskNamed(name);
    expect(taskRecord(record.kind)).toBe(record);
    expect(record.reading ?? record.writing).not.toBeNull();
    if (record.reading !== null) expect(taskOfHead(record.reading.head)).toBe(record);
  }
  expect(taskNamed("stsb").kind).toBe("regression");
  expect(taskOfHead({ kind: "language-model" }).kind).toBe("seq2seq");
  expect(() => taskRecord("chess")).toThrow(InternalError);
  expect(() => readingHead({ kind: "language-model" })).toThrow(InternalError);
});
