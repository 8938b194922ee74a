// A method with what training may add to any of them: masks of neurons.
import { isNeuronMask, neuronMasks } from "../density/index.ts";
import { compose } from "../nn/index.ts";
import type { Method } from "../peft/index.ts";
import type { Settings } from "./settings.ts";

/** What a run adds to its method. */
export interface MethodExtras {
  /** Every MLP's activation times a mask of neurons. */
  readonly masks: boolean;
}

/** What a run's settings add. */
export function runExtras({ removal }: Pick<Settings, "removal">): MethodExtras {
  return { masks: removal !== null };
}

/** Whether a tensor belongs to what training adds to any method. */
export function isExtra(name: string): boolean {
  return isNeuronMask(name);
}

/** What was added, by the names of the tensors that were stored. */
export function extrasOf(names: Iterable<string>): MethodExtras {
  return { masks: [...names].some(isNeuronMask) };
}

/** The method's hooks, then those of the extras. */
export function withExtras(method: Method, { masks }: MethodExtras): Method {
  return masks ? { ...method, hooks: compose(method.hooks, neuronMasks()) } : method;
}
