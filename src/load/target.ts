// What eval, predict, profile, compress and export are asked to open, and the settings that replace its own.
import type { Hooks } from "../nn/index.ts";
import type { SettingsInput } from "../settings/index.ts";

/** What eval, predict and profile open: a run's folder, or a model with an optional adapter. */
export type RunTarget =
  | { readonly kind: "run"; readonly folder: string }
  | {
      readonly kind: "model";
      readonly model: string;
      readonly adapter: string | null;
      /** Middleware of the forward pass, after the adapter's own. */
      readonly hooks?: Hooks;
    };

/** Settings that replace those of the run: data, split, columns, lengths, threads. */
export type RunOverrides = SettingsInput;
