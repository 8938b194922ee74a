// The settings of all methods as rows: which methods read each, how it is checked, what it is where nobody says.
import type * as z from "zod";
import type { OptionRow, OptionRows } from "./record.ts";
import { type AnyRecord, type KnownOptions, METHOD_RECORDS } from "./table.ts";

type SchemasOf<O> = O extends OptionRows ? { readonly [K in keyof O]: O[K]["schema"] } : never;
type Together<U> = (U extends unknown ? (of: U) => void : never) extends (of: infer I) => void ? I : never;

/** How each setting of a method is checked. */
export type MethodOptionSchemas = Together<SchemasOf<KnownOptions>>;

/** A setting that some method reads. */
export type MethodOption = keyof MethodOptionSchemas;

/** Default values of methods' settings. */
export type MethodOptionDefaults = { readonly [K in MethodOption]?: z.output<MethodOptionSchemas[K]> };

/** A setting with the methods that read it. */
export interface SharedOption extends OptionRow {
  readonly methods: readonly AnyRecord[];
}

/**
 * Every setting that some method reads, in the order of the methods, with help that names them. Where several methods read one, it is
 * checked as the first has it, and has a default where they agree on it.
 */
export const METHOD_OPTIONS: ReadonlyMap<MethodOption, SharedOption> = new Map(
  METHOD_RECORDS.flatMap(({ options }) => Object.keys(options)).map((key) => [key as MethodOption, sharedOption(key)]),
);

function sharedOption(key: string): SharedOption {
  const methods = METHOD_RECORDS.filter(({ options }) => key in options);
  const rows = methods.map(({ kind, options }) => ({ kind, row: options[key]! }));
  const { default: usual, ...first } = rows[0]!.row;
  const isAgreed = rows.every(({ row }) => String(row.default) === String(usual));
  const own = (row: OptionRow) => (isAgreed || row.default === undefined ? "" : ` (default ${String(row.default)})`);
  const texts = new Map<string, string[]>();
  for (const { kind, row } of rows) texts.set(row.help + own(row), [...(texts.get(row.help + own(row)) ?? []), kind]);
  const help = Array.from(texts, ([text, kinds]) => `${kinds.join(", ")}: ${text}`).join("; ");
  return { ...first, ...(isAgreed && usual !== undefined ? { default: usual } : {}), help, methods };
}

/** How each setting of a method is checked. */
export function methodOptionSchemas(): MethodOptionSchemas {
  return Object.fromEntries(Array.from(METHOD_OPTIONS, ([key, { schema }]) => [key, schema])) as MethodOptionSchemas;
}

/** Default values of every method's settings, where the methods that read one agree on it. */
export function methodOptionDefaults(): MethodOptionDefaults {
  return defaultsOf(Object.fromEntries(METHOD_OPTIONS));
}

/** Default values of rows that have one. */
export function defaultsOf(rows: OptionRows): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(rows).flatMap(([key, { default: usual }]) => (usual === undefined ? [] : [[key, usual]])),
  );
}
