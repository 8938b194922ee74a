// Full fine-tuning: every parameter of the model.
import { laidOver } from "./merge.ts";
import type { Method } from "./method.ts";
import type { MethodRecord } from "./record.ts";

export interface FullSettings {
  readonly kind: "full";
}

/** Every parameter. */
export function full(): Method<FullSettings> {
  return { settings: { kind: "full" }, hooks: {}, trains: () => true, check: () => {} };
}

/** Full fine-tuning. */
export const FULL = {
  kind: "full",
  title: "full fine-tuning",
  maker: "full()",
  options: {},
  learningRate: 2e-5,
  trainsBase: true,
  settingsFrom: () => ({ kind: "full" }),
  valuesOf: () => ({}),
  build: full,
  merge: laidOver,
  format: null,
} as const satisfies MethodRecord<FullSettings, Record<never, never>, never>;
