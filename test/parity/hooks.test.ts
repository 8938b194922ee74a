// The hook interface's three hard cases, as small methods of the test's own, against peft and a shortened transformers.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { concat, expand, reshape, slice, transpose, type Value } from "../../src/graph/index.ts";
import { compose, type Hooks } from "../../src/nn/index.ts";
import { headOnly, isHead, type Method } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { compareCase } from "./compare.ts";
import { Comparison } from "./comparison.ts";
import { caseNames, type MethodRecord, methodOf, openCase, type ParityCase } from "./records.ts";
import { report } from "./suite.ts";

const GOLDEN = "test/golden/encoders";
const folder = mkdtempSync(join(tmpdir(), "deft-hooks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROMPT = "prompt_embeddings";
const NORMAL = { kind: "normal", std: 0.02 } as const;

/** Virtual tokens before the words: attended, of segment 0. */
function promptTuning(numVirtualTokens: number): Hooks {
  return {
    inputs(site, input) {
      const [batch, , hiddenSize] = input.words.shape;
      const prompt = site.shared(PROMPT, [numVirtualTokens, Number(hiddenSize)], NORMAL);
      const rows = (value: Value) => expand(value, [batch!, ...value.shape.slice(1)]);
      const filled = (value: number) => expand(site.graph.scalar(value, "int64"), [batch!, numVirtualTokens]);
      return {
        ...input,
        words: concat([rows(reshape(prompt, [1, ...prompt.shape])), input.words], 1),
        attentionMask: concat([filled(1), input.attentionMask], 1),
        typeIds: input.typeIds && concat([filled(0), input.typeIds], 1),
        numVirtualTokens,
      };
    },
  };
}

/** Keys and values of virtual tokens before those of every layer, from one table `[P, L · 2 · D]`. */
function prefixTuning(numVirtualTokens: number, numLayers: number): Hooks {
  return {
    // a cache of keys stands before the text: its positions begin behind
    inputs: (_, input) => ({ ...input, positionOffset: numVirtualTokens }),
    keyValue(site, { key, value, mask }) {
      const [batch, numHeads, , headDim] = key.shape as readonly [Value["shape"][number], number, string, number];
      const layer = Number(/\.layer\.(\d+)\./.exec(site.path)![1]);
      const table = site.shared(PROMPT, [numVirtualTokens, numLayers * 2 * numHeads * headDim], NORMAL);
      const prefix = (entry: number) => {
        const own = slice(table, 1, entry * numHeads * headDim, numHeads * headDim); // [P, D]
        const heads = transpose(reshape(own, [numVirtualTokens, numHeads, headDim]), [1, 0, 2]); // [H, P, K]
        return expand(reshape(heads, [1, numHeads, numVirtualTokens, headDim]), [
          batch,
          numHeads,
          numVirtualTokens,
          headDim,
        ]);
      };
      const attended = expand(site.graph.scalar(0), [batch, 1, 1, numVirtualTokens]);
      return {
        key: concat([prefix(2 * layer), key], 2),
        value: concat([prefix(2 * layer + 1), value], 2),
        mask: concat([attended, mask], 3),
      };
    },
  };
}

/** The listed layers end behind their attention. */
function skipMlp(layers: readonly number[]): Hooks {
  const skipped = layers.map((layer) => `.layer.${layer}.output`);
  return { sublayer: (site, _x, h) => (skipped.some((end) => site.path.endsWith(end)) ? null : h) };
}

const withHead = (hooks: Hooks, name: string): Method => ({
  ...headOnly(),
  hooks,
  trains: (parameter) => isHead(parameter) || parameter === name,
});

function hookMethod(method: MethodRecord, { model }: ParityCase): Method {
  switch (method.kind) {
    case "prompt-tuning":
      return withHead(promptTuning(method.numVirtualTokens), PROMPT);
    case "prefix-tuning":
      return withHead(prefixTuning(method.numVirtualTokens, model.config.numLayers), PROMPT);
    case "skip-mlp": {
      const lora = methodOf(method.lora);
      return { ...lora, hooks: compose(lora.hooks, skipMlp(method.layers)) };
    }
    default:
      throw new Error(`${method.kind} needs no hook of the test`);
  }
}

async function expectHookParity(records: string): Promise<number> {
  const comparison = new Comparison();
  const names = (await caseNames(records)).filter((name) => /-tuning$|\.skip-mlp$/.test(name));
  for (const name of names) {
    const one = await openCase(records, name, join(folder, "cache"));
    const backend = nodeBackend({ threads: 1 });
    await compareCase(one, { backend, comparison, method: () => hookMethod(one.record.method, one) });
  }
  report(`${names.length} hook cases of ${records}`, comparison);
  return names.length;
}

test("prompt, prefix and skipped MLP, as recorded", async () => {
  expect(await expectHookParity(GOLDEN)).toBe(3);
});

describeWithPython("prompt, prefix and skipped MLP", (python) => {
  test("as peft and transformers, live", { timeout: 5 * 60_000 }, async () => {
    await runPython("scripts/golden/hooks.py", ["--out", folder], { interpreter: python });
    expect(await expectHookParity(folder)).toBe(9);
  });
});
