// What a PEFT method is: hooks for the forward pass, and the model's own parameters it trains.
import { ConfigError, nearest } from "../errors.ts";
import type { Hooks } from "../nn/index.ts";

/** Settings of a method, as stored beside an adapter. */
export type MethodSettings =
  | {
      readonly kind: "lora";
      readonly rank: number;
      readonly alpha: number;
      readonly dropout: number;
      readonly targets: readonly string[] | "all-linear";
      readonly bias: "none" | "all" | "lora_only";
      readonly rslora: boolean;
      /** Present when the update leaves the base's zeros alone. */
      readonly maskSafe?: boolean;
      /** Ranks and alphas of single sites, by their whole path. */
      readonly rankPattern?: Readonly<Record<string, number>>;
      readonly alphaPattern?: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "adapter";
      readonly style: "pfeiffer" | "houlsby";
      readonly reductionFactor: number;
      readonly nonLinearity: string;
    }
  | {
      readonly kind: "prompt";
      readonly virtualTokens: number;
      readonly init: "random" | "text";
      readonly initText: string | null;
    }
  | {
      readonly kind: "prefix";
      readonly virtualTokens: number;
      readonly projection: boolean;
      readonly projectionSize: number | null;
    }
  | { readonly kind: "head" }
  | { readonly kind: "full" };

/** A PEFT method: options → this. */
export interface Method {
  readonly settings: MethodSettings;
  readonly hooks: Hooks;
  /** Whether the method trains this parameter of the model itself. */
  readonly trains: (name: string) => boolean;
  /** Checks the settings against the model's linear sites. @throws {ConfigError} when a target names nothing. */
  readonly check: (linearSites: readonly string[]) => void;
}

/** The task head, which every method trains (`modules_to_save` in peft). */
export function isHead(name: string): boolean {
  return /^(classifier|score|qa_outputs)\./.test(name);
}

/** How many of a model's positions a method takes for itself. */
export function numVirtualTokens(settings: MethodSettings): number {
  return settings.kind === "prompt" || settings.kind === "prefix" ? settings.virtualTokens : 0;
}

/** Only the task head; of a model that writes text, the vocabulary's. */
export function headOnly(): Method {
  const trains = (name: string) => isHead(name) || name.startsWith("lm_head.");
  return { settings: { kind: "head" }, hooks: {}, trains, check: () => {} };
}

/** Nothing: a model as it is. */
export function untrained(): Method {
  return { ...headOnly(), trains: () => false };
}

/** Every parameter. */
export function full(): Method {
  return { settings: { kind: "full" }, hooks: {}, trains: () => true, check: () => {} };
}

/** Whether a site is one of `targets`: the whole path, or its last parts. As peft's suffix rule. */
export function matchesTarget(site: string, targets: readonly string[]): boolean {
  return targets.some((target) => site === target || site.endsWith(`.${target}`));
}

/** @throws {ConfigError} naming each target that no site has, with a near one. */
export function checkTargets(targets: readonly string[], sites: readonly string[]): void {
  const names = [...new Set(sites.flatMap((site) => [site.split(".").at(-1)!, site.split(".").slice(-2).join(".")]))];
  const issues = targets
    .filter((target) => !sites.some((site) => matchesTarget(site, [target])))
    .map((target) => {
      const near = nearest(target, names);
      return {
        path: "targets",
        expected: `linear layers of the model (${names.join(", ")})`,
        got: JSON.stringify(target),
        ...(near ? { didYouMean: near } : {}),
      };
    });
  if (issues.length > 0) throw new ConfigError(issues);
}
