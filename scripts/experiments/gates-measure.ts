// What removing MLPs of a run costs, as `deft compress` removes them: one at a time, and in the order of gates, ablation, depth and chance.

import { scoringBatches } from "../../src/evaluate/index.ts";
import { openScorer } from "../../src/infer/index.ts";
import { openJob } from "../../src/jobs/compress/request.ts";
import { calibrate, layerFacts, openMasked } from "../../src/jobs/compress/scoring.ts";
import { plainWriting } from "../../src/jobs/compress/writing.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { neuronSwitches, switchFeeds } from "../../src/prune/index.ts";
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
  /** Without one MLP: how far the logits move, as `--count` measures it, and what is answered. */
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
  const rule = {
    kind: "explicit",
    keepNeurons: null,
    threshold: null,
    skip: [],
    gateThreshold: null,
    count: 1,
  } as const;
  const request = {
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
  } as const;
  const { frozen, sites, data, backend } = await openJob(request);
  const facts = await layerFacts(frozen, sites, await calibrate(backend, frozen, data.calibration));
  const masked = await openMasked(backend, frozen, facts, data);
  // what a decoder that is told what to write loses
  const written = frozen.model.writes ? plainWriting(frozen, neuronSwitches(facts)) : null;
  const told = written && (await openScorer({ ...written, backend, density: false }));
  const lossOf = async (layers: readonly number[]) => {
    const fed = new Map([...written!.trained, ...(await switchFeeds(facts, keptWithout(layers)))]);
    const batches = scoringBatches(data.heldOut, written!.head, "longest", 64);
    return (await told!.score(fed, batches, data.heldOut.count)).loss;
  };
  const known = new Map<string, Measured>();
  const without = async (layers: readonly number[]): Promise<Measured> => {
    const key = [...layers].sort((a, b) => a - b).join();
    const before = known.get(key);
    if (before) return before;
    const { score, outcomes } = await masked.said(data.heldOut, keptWithout(layers));
    const all = outcomes();
    const losses = all.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    const loss = told ? await lossOf(layers) : losses.reduce((a, b) => a + b, 0) / losses.length;
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
    await told?.dispose();
  }
}

/** Places by rising value. */
function rising(values: readonly number[]): number[] {
  return [...values.keys()].sort((a, b) => values[a]! - values[b]!);
}
