// Settings that contradict each other: each rule names the one to change.
import { canFillZeros, kindsOf, METHOD_OPTIONS, METHOD_RECORDS, type MethodName, recordNamed } from "../peft/index.ts";
import { SEQ2SEQ_KEYS, SQUAD_KEYS, WRITING_KEYS } from "./answers.ts";
import { DEFAULTS } from "./defaults.ts";
import type { SettingsInput, SettingsKey } from "./schema.ts";

/** A given setting that has no place beside the others. */
export interface Conflict {
  readonly key: SettingsKey;
  readonly expected: string;
  readonly got: string;
}

const DENSITY_KEYS = [
  "density-loss",
  "epsilon",
  "positions",
  "density-warmup-ratio",
  "density-cooldown-ratio",
] as const;

const AUTO_KEYS = ["task-loss-margin", "target-density"] as const;
const REMOVAL_KEYS = ["keep-scope", "removal-start", "removal-end"] as const;

const TEACHER_KEYS = ["teacher", "distillation-weight"] as const;

const DRAWING_KEYS = ["temperature", "top-k", "top-p"] as const;

/** Keys that other tasks alone use. */
function foreignKeys(task: SettingsInput["task"]): { readonly key: SettingsKey; readonly expected: string }[] {
  if (task === undefined) return [];
  const writes = task === "squad" || task === "seq2seq";
  const of = (keys: readonly SettingsKey[], expected: string, isForeign: boolean) =>
    isForeign ? keys.map((key) => ({ key, expected: `${expected}, which alone uses it` })) : [];
  return [
    ...of(SQUAD_KEYS, "--task squad", task !== "squad"),
    ...of(SEQ2SEQ_KEYS, "--task seq2seq", task !== "seq2seq"),
    ...of(WRITING_KEYS, "--task squad or seq2seq", !writes),
    ...of(["text-column", "pair-column", "label-column"], "a task of labels", writes),
    ...of(TEACHER_KEYS, "a task of labels or squad", task === "seq2seq"),
  ];
}

type Add = (key: SettingsKey, expected: string, got: string) => void;

/** Settings that none of the methods reads or can have. */
function methodConflicts(given: SettingsInput, methods: readonly MethodName[], add: Add): void {
  const named = methods.map((name) => recordNamed(name));
  const got = `--method ${methods.join(",")}`;
  for (const [key, row] of METHOD_OPTIONS) {
    const uses = row.methods.length === 1 ? "alone uses" : "alone use";
    const isRead = named.some(({ record }) => row.methods.includes(record));
    if (!isRead) add(key, `--method ${kindsOf(row.methods)}, which ${uses} it`, got);
    const conflict = row.conflict?.(given) ?? null;
    if (conflict) add(key, conflict.expected, conflict.got);
  }
  if (named.some(({ record }) => record.trainsBase))
    add("quantize", "a method that leaves the base's matrices alone", got);
  for (const [at, { record, quantize }] of named.entries()) {
    if (quantize === null || given.quantize === quantize) continue;
    const expected = `${quantize} with --method ${methods[at]}, which means it, or --method ${record.kind}`;
    add("quantize", expected, String(given.quantize));
  }
  const filling = METHOD_RECORDS.filter(canFillZeros);
  if (!named.some(({ record }) => filling.includes(record)))
    add("mask-safe", `--method ${kindsOf(filling)}, which alone could fill zeros`, got);
}

/** Contradictions among the settings that were given; `methods` are those that will run. */
export function conflicts(given: SettingsInput, methods: readonly MethodName[]): Conflict[] {
  const found: Conflict[] = [];
  const add: Add = (key, expected, got) => {
    if (given[key] !== undefined) found.push({ key, expected, got });
  };
  methodConflicts(given, methods, add);
  if (given["density-weight"] === 0) {
    for (const key of DENSITY_KEYS) add(key, "--density-weight above 0, without which it means nothing", "0");
  }
  if (given["density-weight"] === "auto") {
    add("density-warmup-ratio", "none with --density-weight auto, which begins small and rises by itself", "one");
  } else {
    for (const key of AUTO_KEYS) add(key, "--density-weight auto, which alone uses it", "another weight");
  }
  if (given.preset === "paper" && given["density-loss"] === "neurons") {
    add("density-loss", "activations with --preset paper, which has no other loss", "neurons");
  }
  if (given.ada !== true) {
    for (const key of ["gate-weight", "gate-rate"] as const)
      add(key, "--ada, without which it means nothing", "no --ada");
  }
  if (given["keep-neurons"] === undefined) {
    for (const key of REMOVAL_KEYS) add(key, "--keep-neurons, without which it means nothing", "no --keep-neurons");
  }
  if (given.teacher === undefined)
    add("distillation-weight", "--teacher RUN, without which it means nothing", "no --teacher");
  const start = given["removal-start"] ?? DEFAULTS["removal-start"];
  const end = given["removal-end"] ?? DEFAULTS["removal-end"];
  if (start >= end) {
    const key = given["removal-end"] === undefined ? "removal-start" : "removal-end";
    add(key, "a removal that starts before it ends", `from ${start} to ${end}`);
  }
  if (given.resume === true && given.output === undefined) {
    found.push({ key: "resume", expected: "--output RUN, the run to resume", got: "no --output" });
  }
  if ((given["num-beams"] ?? 1) > 1) {
    for (const key of DRAWING_KEYS) add(key, "--num-beams 1, which alone draws tokens", `${given["num-beams"]} beams`);
  }
  for (const { key, expected } of foreignKeys(given.task)) add(key, expected, `--task ${given.task}`);
  if (given.task === "text-classification") add("pair-column", "--task text-pair", "--task text-classification");
  if (given.method !== undefined) add("methods", "either --method or --methods", "both");
  if (given.seed !== undefined) add("seeds", "either --seed or --seeds", "both");
  if (given.schedule === "constant" && given["warmup-ratio"] === 1) {
    add("warmup-ratio", "less than 1 with --schedule constant", "1");
  }
  return found;
}
