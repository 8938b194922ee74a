// What removing MLPs of a run costs, as `deft compress` removes them: one at a time, and in the order of gates, ablation, depth and chance.

import type { EncodedExamples } from "../../src/data/index.ts";
import { scoringBatches } from "../../src/evaluate/index.ts";
import { openScorer } from "../../src/infer/index.ts";
import { type OpenedCompression, openJob } from "../../src/jobs/compress/request.ts";
import { calibrate, type KeptNeurons, layerFacts, openMasked } from "../../src/jobs/compress/scoring.ts";
import { plainWriting } from "../../src/jobs/compress/writing.ts";
import type { MergedModel } from "../../src/load/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { type LayerFacts, neuronSwitches, switchFeeds } from "../../src/prune/index.ts";
import type { Backend } from "../../src/runtime/index.ts";
import { randomStream } from "../../src/tensor/index.ts";

/** A model with some MLPs gone: what it answers on the examples that no choice has seen. */
export interface Measured {
  readonly score: number;
  /** Mean cross-entropy, of texts while the model is told what to write. */
  readonly loss: number;
  /** 1 for a right answer, by example. */
  readonly right: readonly number[];
}

export interface GateMeasurement {
  readonly sites: readonly string[];
  readonly gates: readonly number[];
  readonly whole: Measured;
  /**
   * Without one MLP: how far what the model says moves, as `--count` measures it, and what is answered.
   */
  readonly alone: readonly ({ readonly divergence: number } & Measured)[];
  /** Without several, by rule: `gates`, `ablation`, `depth` (the last of each stack first) and random draws. */
  readonly removed: readonly {
    readonly rule: string;
    readonly count: number;
    readonly layers: readonly number[];
    readonly result: Measured;
  }[];
}

export interface MeasureOptions {
  readonly counts: readonly number[];
  /** Random draws of each count. */
  readonly draws: number;
  readonly seed: number;
  /** Examples of the evaluation split: one half for ablation, the other for scores. */
  readonly limit: number;
}

/** Measures the run in `folder`, whose gates may be trained or read off the gradient. */
export async function measureGates(
  folder: string,
  { counts, draws, seed, limit }: MeasureOptions,
): Promise<GateMeasurement> {
  const { frozen, sites, data, backend } = await opened(folder, limit);
  const facts = await layerFacts(frozen, sites, await calibrate(backend, frozen, data.calibration));
  const masked = await openMasked(backend, frozen, facts, data);
  const told = frozen.model.writes ? await openTold(backend, frozen, facts, data.heldOut) : null;
  const known = new Map<string, Measured>();
  const without = async (layers: readonly number[]): Promise<Measured> => {
    const key = [...layers].sort((a, b) => a - b).join();
    const before = known.get(key);
    if (before) return before;
    const { score, outcomes } = await masked.said(data.heldOut, keptWithout(layers));
    const all = outcomes();
    const losses = all.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    const loss = told ? await told(keptWithout(layers)) : losses.reduce((a, b) => a + b, 0) / losses.length;
    const measured = { score, loss, right: all.map((of) => of.score ?? 0) };
    known.set(key, measured);
    return measured;
  };
  const keptWithout = (layers: readonly number[]) => facts.map((_, i) => (layers.includes(i) ? [] : null));
  try {
    const whole = await without([]);
    const alone = [];
    for (const layer of facts.keys())
      alone.push({
        divergence: await masked.divergence(data.search, keptWithout([layer])),
        ...(await without([layer])),
      });
    const gates = sites.map(({ sublayer }) => frozen.gates.get(sublayer) ?? Number.NaN);
    const orders = {
      gates: rising(gates),
      ablation: rising(alone.map(({ divergence }) => divergence)),
      depth: rising(sites.map(({ stack, layer }) => -layer / sites.filter((of) => of.stack === stack).length)),
    };
    const random = randomStream(seed, "order");
    const removed = [];
    for (const count of counts) {
      const chosen = [
        ...Object.entries(orders).map(([by, order]) => [by, order.slice(0, count)] as const),
        ...Array.from({ length: draws }, () => ["random", random.shuffle([...facts.keys()]).slice(0, count)] as const),
      ];
      for (const [by, layers] of chosen) removed.push({ rule: by, count, layers, result: await without(layers) });
    }
    return { sites: sites.map(({ sublayer }) => sublayer), gates, whole, alone, removed };
  } finally {
    await masked.dispose();
  }
}

/** The run as `deft compress --count` opens it, on `limit` examples of the evaluation split. */
function opened(folder: string, limit: number): Promise<OpenedCompression> {
  const rule = {
    kind: "explicit",
    keepNeurons: null,
    threshold: null,
    skip: [],
    gateThreshold: null,
    count: 1,
  } as const;
  return openJob({
    environment: nodeEnvironment(),
    target: { kind: "run", folder },
    options: {
      output: `${folder}-none`,
      rule,
      quantization: "none",
      compensation: null,
      calibrationExamples: null,
      recovery: null,
      decodingBudget: null,
      activation: null,
    },
    overrides: { threads: 1, "limit-eval": limit },
    signal: undefined,
    fingerprints: undefined,
  });
}

/** What a decoder that is told what to write loses. */
async function openTold(
  backend: Backend,
  frozen: MergedModel,
  facts: readonly LayerFacts[],
  examples: EncodedExamples,
): Promise<(kept: KeptNeurons) => Promise<number>> {
  const written = plainWriting(frozen, neuronSwitches(facts));
  const scorer = await openScorer({ ...written, backend, density: false, fetch: true });
  return async (kept) => {
    const fed = new Map([...written.trained, ...(await switchFeeds(facts, kept))]);
    let [loss, tokens] = [0, 0];
    for (const batch of scoringBatches(examples, written.head, "longest", 16)) {
      const { logits } = await scorer.run(fed, batch);
      const width = logits!.shape.at(-1)!;
      for (const [position, label] of Array.from(batch.inputs.labels!.data as BigInt64Array, Number).entries()) {
        if (label < 0) continue;
        const row = logits!.data.subarray(position * width, (position + 1) * width) as Float32Array;
        loss += logSumExp(row) - row[label]!;
        tokens++;
      }
    }
    return loss / tokens;
  };
}

function logSumExp(logits: Float32Array): number {
  const largest = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return largest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** Places by rising value. */
function rising(values: readonly number[]): number[] {
  return [...values.keys()].sort((a, b) => values[a]! - values[b]!);
}
