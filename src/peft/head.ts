// The task head alone, trained on a frozen model.
import type { ModelParameter } from "../nn/index.ts";
import { laidOver } from "./merge.ts";
import type { Method } from "./method.ts";
import type { MethodRecord } from "./record.ts";

export interface HeadSettings {
  readonly kind: "head";
}

/** Only the task head; of a model that writes text, the vocabulary's. */
export function headOnly(): Method<HeadSettings> {
  const trains = ({ part }: ModelParameter) => part?.kind === "head" || part?.kind === "vocabulary";
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
