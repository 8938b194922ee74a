// Every record of the table keeps what the rooms above ask of any method.
import { expect, test } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { anyModel } from "../models/index.ts";
import { buildTaskGraph } from "../tasks/index.ts";
import { isHead } from "./method.ts";
import { isAdded, methodOf } from "./method-of.ts";
import { type AnyRecord, METHOD_NAMES, METHOD_OPTIONS, METHOD_RECORDS, recordNamed, recordOf } from "./table.ts";

const MODEL = anyModel({
  model_type: "bert",
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 16,
});

const RECORDS = METHOD_RECORDS.map((record) => [record.kind, record] as const);

test("names and types are of one method each", () => {
  expect(new Set(METHOD_NAMES).size).toBe(METHOD_NAMES.length);
  for (const name of METHOD_NAMES) expect(METHOD_RECORDS).toContain(recordNamed(name).record);
  const types = METHOD_RECORDS.flatMap(({ format }) => format?.peftTypes ?? []);
  expect(new Set(types).size).toBe(types.length);
});

test("settings of no method that is known are refused with those that are", () => {
  expect(() => recordOf({ kind: "lora-2031" })).toThrow(UnsupportedError);
  expect(() => methodOf({ kind: "lora-2031" })).toThrow(/the method "lora-2031".*lora.*full/s);
});

/** The values of settings that have a default. */
const defaultsOf = ({ options }: AnyRecord) =>
  Object.fromEntries(
    Object.entries(options).flatMap(([key, row]) => (row.default === undefined ? [] : [[key, row.default]])),
  ) as Parameters<AnyRecord["settingsFrom"]>[0];

test.each(RECORDS)("%s: its settings are known, and come back from values", (_, record) => {
  for (const key of Object.keys(record.options)) expect(METHOD_OPTIONS).toHaveProperty([key]);
  const values = defaultsOf(record);
  const settings = record.settingsFrom(values);
  expect(settings.kind).toBe(record.kind);
  expect(record.settingsFrom({ ...values, ...record.valuesOf(settings) } as typeof values)).toEqual(settings);
  expect(record.valuesOf(settings)).toEqual(expect.objectContaining(values));
  expect(record.build(settings).settings).toEqual(settings);
  expect(methodOf(JSON.parse(JSON.stringify(settings)) as typeof settings).settings).toEqual(settings);
});

test.each(RECORDS)("%s: what it adds to a model is known as added, and nothing of the model is", (_, record) => {
  const settings = record.settingsFrom(defaultsOf(record));
  const method = record.build(record.onModel?.(settings, MODEL.facts) ?? settings);
  const head = { kind: "classification", numLabels: 2 } as const;
  const names = (of: typeof method) => buildTaskGraph({ model: MODEL, method: of, head }).parameters;
  const own = new Set(names({ ...method, hooks: {} }).map(({ name }) => name));
  const all = names(method);
  const added = all.filter(({ name }) => !own.has(name));
  expect(added.length > 0).toBe(record.adds !== undefined);
  for (const { name, trainable } of added) {
    expect(isAdded(name), name).toBe(true);
    expect(record.adds!.test(name), name).toBe(true);
    expect(trainable).toBe(true);
  }
  for (const name of own) expect(isAdded(name), name).toBe(false);
  // the head is trained with every method, the base only where the record says so
  const trained = all.filter(({ name, trainable }) => trainable && own.has(name));
  expect(trained.filter(isHead).length).toBeGreaterThan(0);
  expect(trained.some((spec) => !isHead(spec))).toBe(record.trainsBase === true);
});

test.each(RECORDS)("%s: folded into the weights, or stored beside them in a format", (_, record) => {
  expect(record.merge !== undefined || record.format !== null).toBe(true);
  expect(record.merge !== undefined && record.behindGates !== undefined).toBe(false);
});
