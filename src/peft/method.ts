// What a PEFT method is: hooks for the forward pass, and the model's own parameters it trains.
import { ConfigError, nearest } from "../errors.ts";
import type { Hooks, ModelParameter, Part } from "../nn/index.ts";

/** Settings of a method, as stored beside an adapter; each method's file says what its own hold. */
export interface StoredMethod {
  readonly kind: string;
}

/** A PEFT method: options → this. */
export interface Method<S extends StoredMethod = StoredMethod> {
  readonly settings: S;
  readonly hooks: Hooks;
  /** Whether the method trains this parameter of the model itself. */
  readonly trains: (parameter: ModelParameter) => boolean;
  /** Checks the settings against the model's linear sites. @throws {ConfigError} when a target names nothing. */
  readonly check: (linearSites: readonly string[]) => void;
}

/** Whether a parameter or a site is of the task's head, which every method trains (`modules_to_save` in peft). */
export function isHead({ part }: { readonly part: Part }): boolean {
  return part?.kind === "head";
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
