// A backend whose programs multiply with weights in few bits, as an export's do: what it will lose is measured, not assumed.
import { deployGraph, openable } from "../../export/index.ts";
import { readStored } from "../../onnx/index.ts";
import type { Backend } from "../../runtime/index.ts";

/** `backend` with the frozen weights of every program that it compiles as `deft export` stores them in `precision`. */
export function fewBits(backend: Backend, precision: "int8" | "q4"): Backend {
  return {
    name: backend.name,
    threads: backend.threads,
    place: (tensor) => backend.place(tensor),
    compile: async (outputs, { weights = new Map(), ...options } = {}) =>
      backend.open(openable(outputs, await readStored(deployGraph(outputs, weights, precision))), options),
    open: (model, options) => backend.open(model, options),
  };
}
