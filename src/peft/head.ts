// The task head alone, trained on a frozen model.
import { laidOver } from "./merge.ts";
import { isHead, type Method } from "./method.ts";
import type { MethodRecord } from "./record.ts";

export interface HeadSettings {
  readonly kind: "head";
}

/** Only the task head; of a model that writes text, the vocabulary's. */
export function headOnly(): Method<HeadSettings> {
  const trains = (name: string) => isHead(name) || name.startsWith("lm_head.");
  return { settings: { kind: "head" }, hooks: {}, trains, check: () => {} };
}

/** Nothing: a model as it is. */
export function untrained(): Method<HeadSettings> {
  return { ...headOnly(), trains: () => false };
}

/** The head alone. */
export const HEAD = {
  kind: "head",
  title: "head only",
  maker: "headOnly()",
  options: {},
  learningRate: 1e-3,
  settingsFrom: () => ({ kind: "head" }),
  valuesOf: () => ({}),
  build: headOnly,
  merge: laidOver,
  format: null,
} as const satisfies MethodRecord<HeadSettings, Record<never, never>, never>;
