// Every backend that runs in plain Node, for suites that repeat over all.
import type { Backend } from "../../src/runtime/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { webBackend } from "../../src/runtime/web.ts";

/** cpu through onnxruntime-node, and wasm through onnxruntime-web with one thread. */
export const backends: readonly Backend[] = [nodeBackend({ threads: 1 }), webBackend({ threads: 1 })];
