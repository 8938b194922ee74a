// What one setting is: a row of the table, from which flags, files, checks, comparisons and pages are derived.
import type { Kind } from "./kinds.ts";
import type { MethodName, SettingCommand, TaskName, TaskSet } from "./names.ts";

/** Headings of help and of the reference page, in their order. */
export const HEADINGS = [
  "Model and data",
  "Answers",
  "Method",
  "Density loss",
  "Gates and removal of neurons",
  "Training",
  "Run",
] as const;

export type Heading = (typeof HEADINGS)[number];

/**
 * What a setting changes, which decides what is compared when a run is resumed, and when it is measured against another.
 *
 * - `base`: the weights that are opened, which a run knows by their fingerprint.
 * - `data`: the examples and how they become batches.
 * - `method`: what is trained.
 * - `step`: what a training step computes.
 * - `density`: what is added to plain fine-tuning; a run of plain fine-tuning may differ in it.
 * - `evaluation`: when a run is evaluated, and what it keeps of that; steps do not depend on it.
 * - `answers`: how answers are chosen when a model is measured.
 * - `free`: where and how fast; no number depends on it but for rounding.
 * - `others`: it stands for other settings.
 * - `call`: what one call of a command does; no run's record has it.
 */
export type Affects =
  | "base"
  | "data"
  | "method"
  | "step"
  | "density"
  | "evaluation"
  | "answers"
  | "free"
  | "others"
  | "call";

/** What a setting needs of another; every test that is present must hold. */
export interface Need {
  /** The other setting. */
  readonly key: string;
  /** Only for these values of the setting itself. */
  readonly when?: readonly unknown[];
  /** Not for these values of the setting itself. */
  readonly unless?: readonly unknown[];
  /** The other's value, or its default, is one of these. */
  readonly is?: readonly unknown[];
  /** The other's given value is none of these. */
  readonly isNot?: readonly unknown[];
  /** The other is given, or is not. */
  readonly given?: boolean;
  /** The other's value, or its default, is larger; where both are given, only `isSmaller` is looked at. */
  readonly isLarger?: true;
  /** The other's value, or its default, is smaller. */
  readonly isSmaller?: true;
  /** What would do, in words. */
  readonly expected: string;
  /** What stands there instead, in words; `{value}` is the setting's own value, `{other}` the other's. */
  readonly got: string;
}

/** One setting. */
export interface Setting<T = unknown> {
  readonly kind: Kind<T>;
  readonly default?: T;
  /** Defaults of single tasks, methods, activations that are put in and kinds of the density loss; the last go first. */
  readonly byTask?: { readonly [N in TaskName]?: T };
  readonly byMethod?: { readonly [N in MethodName]?: T };
  readonly byActivation?: { readonly relu?: T };
  readonly byLoss?: { readonly neurons?: T };
  /** What it does: a whole sentence. */
  readonly help: string;
  /** The value's name in help, where the kind does not say it. */
  readonly value?: string;
  /** What paths it names, for completion. */
  readonly completes?: "path" | "folder";
  readonly group: "basic" | "more";
  readonly heading: Heading;
  readonly affects: Affects;
  /** Its place in the `Settings` of a run: names joined by points. */
  readonly at?: string;
  /** Its place always holds a value; others without a default hold null where nothing was given. */
  readonly isNeeded?: true;
  /** The type of what stands there, where it is not that of the checked value. */
  readonly stored?: string;
  /** How the library is given it: as a plain option unless it says otherwise. */
  readonly option?: "data" | "density" | "method" | "none";
  /** Tasks and methods that use it; all, where it does not say. */
  readonly tasks?: TaskSet;
  readonly methods?: readonly MethodName[];
  readonly needs?: readonly Need[];
  /** A switch that is also spelled `--no-NAME`. */
  readonly negatable?: true;
  /** Added after runs were written without it: their records lack it, and a key of a run leaves its default out. */
  readonly isLater?: true;
  /** What runs did whose records lack it, where that is not its default. */
  readonly older?: unknown;
  readonly commands: readonly SettingCommand[];
}

/** Commands that train. */
export const TRAINING: readonly SettingCommand[] = ["init", "train", "compare"];
/** Commands that measure a model on a data set. */
export const MEASURING: readonly SettingCommand[] = ["eval", "profile", "compress"];
