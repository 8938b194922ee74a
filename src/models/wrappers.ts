// Names that a checkpoint got from what was wrapped around the model when it was saved, and the same names without them.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import type { Weight, Weights } from "../tensor/index.ts";
import type { TensorNames } from "./model-facts.ts";

/** What torch's wrappers put into names: DataParallel, torch.compile, FSDP, checkpointing. No model here has such parts. */
const WRAPPER = /(?<=^|\.)(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;
/** An attribute of a person's own class, or of a training framework's. */
const OWNER = "model.";

/** A checkpoint's tensors without wrappers' prefixes. */
export interface Unwrapped {
  readonly weights: Weights;
  /** The prefixes that were left out, with their dots. */
  readonly wrappers: readonly string[];
  /** What still stands before this model's names, where other names lack it; null: nothing. */
  readonly prefix: string | null;
}

/**
 * Leaves wrappers' parts out of all names, and a leading `model.` where every name has it and the model's own names follow. Any other
 * prefix is told, not touched. `types` are the names of the types of models that it may be.
 * @throws {CheckpointError} when two tensors would have one name.
 */
export function unwrappedFrom(types: readonly TensorNames[], weights: Weights, file: string): Unwrapped {
  const prefixOf = (entries: Entries) => prefixBefore(tableOf(types), entries);
  const wrappers = new Set<string>();
  const plain = (name: string) =>
    name.replace(WRAPPER, (part) => {
      wrappers.add(part);
      return "";
    });
  let entries = [...weights].map(([name, weight]): [string, Weight] => [plain(name), weight]);
  if (entries.every(([name]) => name.startsWith(OWNER)) && prefixOf(entries) === OWNER) {
    wrappers.add(OWNER);
    entries = entries.map(([name, weight]) => [name.slice(OWNER.length), weight]);
  }
  const clean = new Map<string, Weight>();
  const issues: CheckpointIssue[] = [];
  for (const [name, weight] of entries) {
    if (clean.has(name)) issues.push({ name, expected: "one tensor", got: "a second one behind another prefix" });
    clean.set(name, weight);
  }
  if (issues.length > 0) throw new CheckpointError(file, issues);
  return { weights: wrappers.size === 0 ? weights : clean, wrappers: [...wrappers], prefix: prefixOf(entries) };
}

type Entries = readonly (readonly [string, Weight])[];

/** The table of the vocabulary of any type, with or without the type's own prefix, behind whatever stands before that. */
function tableOf(types: readonly TensorNames[]): RegExp {
  const literal = (name: string) => name.replaceAll(".", "\\.");
  const tables = types.map(({ prefix, table }) => `${prefix === null ? "" : `(?:${prefix}\\.)?`}${literal(table)}`);
  return new RegExp(`^(.*?)(?:${[...new Set(tables)].join("|")})\\.weight$`);
}

/** What stands before the name of the model's table; null where nothing does, or there is no such table. */
function prefixBefore(table: RegExp, entries: Entries): string | null {
  const prefixes = entries.flatMap(([name]) => table.exec(name)?.[1] ?? []);
  const [first] = prefixes;
  // `transformer.` is how T5's classifiers name their T5: another model, not another name
  return first === undefined || prefixes.includes("") || first === "transformer." ? null : first;
}
