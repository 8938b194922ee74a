// The settings of all methods as rows: which method reads each, how it is checked, what it is where nobody says.
import type * as z from "zod";
import type { OptionRow, OptionRows } from "./record.ts";
import { type AnyRecord, type KnownOptions, METHOD_RECORDS } from "./table.ts";

type Together<U> = (U extends unknown ? (of: U) => void : never) extends (of: infer I) => void ? I : never;
type Options = Together<KnownOptions>;

/** A setting that some method reads. */
export type MethodOption = keyof Options;

/** How each setting of a method is checked. */
export type MethodOptionSchemas = { readonly [K in MethodOption]: Options[K]["schema"] };

/** Default values of methods' settings; of one that several have, the first method's. */
export type MethodOptionDefaults = {
  readonly [K in MethodOption as Options[K] extends { readonly default: unknown } ? K : never]: z.output<
    Options[K]["schema"]
  >;
};

/** Every setting that some method reads, in the order of the methods. */
export const METHOD_OPTIONS: ReadonlyMap<MethodOption, OptionRow & { readonly methods: readonly AnyRecord[] }> =
  new Map(
    METHOD_RECORDS.flatMap(({ options }) => Object.keys(options)).map((key) => {
      const having = METHOD_RECORDS.filter(({ options }) => key in options);
      return [key as MethodOption, { ...having[0]!.options[key]!, methods: having }];
    }),
  );

/** How each setting of a method is checked. */
export function methodOptionSchemas(): MethodOptionSchemas {
  return Object.fromEntries(Array.from(METHOD_OPTIONS, ([key, { schema }]) => [key, schema])) as MethodOptionSchemas;
}

/** Default values of every method's settings. */
export function methodOptionDefaults(): MethodOptionDefaults {
  return defaultsOf(Object.fromEntries(METHOD_OPTIONS)) as MethodOptionDefaults;
}

/** Default values of rows that have one. */
export function defaultsOf(rows: OptionRows): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(rows).flatMap(([key, { default: usual }]) => (usual === undefined ? [] : [[key, usual]])),
  );
}
