// The one loop of the parity suites: every case of a folder, one comparison, one table.
import { expect } from "vitest";
import { UnsupportedError } from "../../src/errors.ts";
import type { Backend } from "../../src/runtime/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { type CompareOptions, compareCase } from "./compare.ts";
import { Comparison } from "./comparison.ts";
import { caseNames, methodOf, openCase } from "./records.ts";

/** Everything instead of a selection, in both position modes: `DEFT_PARITY=all`. */
export const isThorough = process.env.DEFT_PARITY === "all";

export interface SuiteOptions {
  readonly backend?: Backend;
  /** Folder for converted 16-bit weights. */
  readonly cache: string;
  /** The checkpoint of records that name none. */
  readonly checkpoint?: string;
  readonly keep?: (name: string) => boolean;
  readonly positions?: (name: string) => NonNullable<CompareOptions["positions"]>;
}

/**
 * Compares the cases of `folder` that are kept, and expects no problem.
 * @returns how many were compared.
 */
export async function expectParity(folder: string, options: SuiteOptions): Promise<number> {
  const { backend = nodeBackend({ threads: 1 }), cache, checkpoint, keep = () => true, positions } = options;
  const comparison = new Comparison();
  const names = (await caseNames(folder)).filter(keep);
  for (const name of names) {
    const one = await openCase(folder, name, cache, checkpoint);
    await compareCase(one, {
      backend,
      comparison,
      method: () => methodOf(one.record.method),
      ...(positions ? { positions: positions(name) } : {}),
    });
  }
  report(`${names.length} cases of ${folder} on ${backend.name}`, comparison);
  return names.length;
}

/** Expects a comparison without problems; its table is printed with `DEFT_PARITY_TABLE`. */
export function report(title: string, comparison: Comparison): void {
  if (process.env.DEFT_PARITY_TABLE) console.log(`${title}\n${comparison.table()}`);
  expect(comparison.problems).toEqual([]);
}

/** Expects a case's config to be refused as known but not built. */
export async function expectUnsupported(folder: string, name: string, cache: string): Promise<void> {
  const one = await openCase(folder, name, cache);
  const compared = compareCase(one, {
    backend: nodeBackend({ threads: 1 }),
    comparison: new Comparison(),
    method: () => methodOf(one.record.method),
  });
  await expect(compared).rejects.toThrow(UnsupportedError);
}
