// A comparison on the terminal: one display a run, each labelled with its method, seed and variant.
import type { CompareEvent } from "../jobs/index.ts";
import { eventDisplay } from "./follow.ts";
import type { Terminal } from "./terminal.ts";

/** Shows the events of a comparison. */
export function comparisonDisplay(terminal: Terminal): (event: CompareEvent) => void {
  const displays = new Map<number, ReturnType<typeof eventDisplay>>();
  return (event) => {
    if (event.type === "row") return;
    const { method, seed, variant, index, total } = event;
    const label = `[${index + 1}/${total}] ${method} ${variant.toUpperCase()}, seed ${seed}`;
    const show = displays.get(index) ?? eventDisplay(terminal, label);
    displays.set(index, show);
    show(event.event);
  };
}
