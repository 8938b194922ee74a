// The table of methods, and a method's record by its settings or by its name.
import { UnsupportedError } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { ADAPTER } from "./adapter.ts";
import { FULL } from "./full.ts";
import { HEAD } from "./head.ts";
import { IA3 } from "./ia3.ts";
import { LORA } from "./lora.ts";
import type { Method, StoredMethod } from "./method.ts";
import { PREFIX } from "./prefix.ts";
import { PROMPT } from "./prompt.ts";
import type { AdapterFormat, AdapterLibrary, MethodRecord, OptionRows } from "./record.ts";

/** Every method, in the order in which they are named. */
const RECORDS = [LORA, IA3, ADAPTER, PROMPT, PREFIX, HEAD, FULL] as const;

type KnownRecord = (typeof RECORDS)[number];

/** Every setting that some method reads, by key. LoRA's defaults stand for keys that IA3 reads too, which has none. */
export const METHOD_OPTIONS = {
  ...IA3.options,
  ...LORA.options,
  ...ADAPTER.options,
  ...PROMPT.options,
  ...PREFIX.options,
} as const;

/** Settings of a method, as stored beside an adapter. */
export type MethodSettings = ReturnType<KnownRecord["build"]>["settings"];

/** A PEFT method: options → this. */
export type AnyMethod = Method<MethodSettings>;

/** An adapter of a method that has a public format. */
export type Adapter = AdapterOf<KnownRecord["format"]>;
// each format by itself, so that the union is one of adapters
type AdapterOf<F> = F extends AdapterFormat<infer _, infer A> ? A : never;

/** The record of some method. */
export type AnyRecord = MethodRecord<MethodSettings, OptionRows, Adapter>;

type AliasOf<R> = R extends { readonly aliases: infer A } ? keyof A & string : never;

/** What `--method` takes: kinds, and names for a kind with other settings. */
export type MethodName = KnownRecord["kind"] | AliasOf<KnownRecord>;

/** Every method, in the order in which they are named. */
export const METHOD_RECORDS: readonly AnyRecord[] = RECORDS;

/** What a method's settings say it is. */
export const METHOD_KINDS: readonly string[] = METHOD_RECORDS.map(({ kind }) => kind);

/** Methods whose part can be folded into the weights. */
export const MERGEABLE: readonly AnyRecord[] = METHOD_RECORDS.filter((record) => record.merge !== undefined);

/** Every name that `--method` takes. */
export const METHOD_NAMES = METHOD_RECORDS.flatMap(({ kind, aliases }) => [
  kind,
  ...Object.keys(aliases ?? {}),
]) as readonly MethodName[];

/** The record of stored settings. @throws {UnsupportedError} when no method of this version has them. */
export function recordOf({ kind }: StoredMethod): AnyRecord {
  const record = METHOD_RECORDS.find((known) => known.kind === kind);
  if (record) return record;
  throw new UnsupportedError(`the method ${JSON.stringify(kind)}`, METHOD_KINDS, {
    hint: "A newer deft made this: npm i deft-tune@latest",
  });
}

/** The record that a name of `--method` stands for, and how it says that the base is stored; null: it says nothing of that. */
export function recordNamed(name: MethodName): { readonly record: AnyRecord; readonly quantize: StoredFormat | null } {
  const record = METHOD_RECORDS.find(({ kind, aliases }) => kind === name || Object.hasOwn(aliases ?? {}, name))!;
  return { record, quantize: record.aliases?.[name] ?? null };
}

/** The records that a library has a type for. */
export function recordsOfLibrary(library: AdapterLibrary): readonly AnyRecord[] {
  return METHOD_RECORDS.filter(({ format }) => format?.library === library);
}

/** The kinds of these records as words of a sentence: `lora, head or full`. */
export function kindsOf(records: readonly Pick<AnyRecord, "kind">[]): string {
  const words = records.map(({ kind }) => kind);
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
