// A compression's measurements as figures and tables take them: shares of neurons, changes in score, layers on their own.
import type { BenchReport, BenchRow } from "../jobs/index.ts";
import type { Candidate, Compression } from "../runs/index.ts";
import { isWriting } from "./tables/bench.ts";

/** A compressed model's record as a report needs it. */
export interface CompressionReport {
  readonly name: string;
  readonly record: Compression;
  /** Learned gates of the run it was made from, by layer; null without gates. */
  readonly gates: readonly number[] | null;
}

/** Layers as people call them: by number, in a model of two stacks by stack and number, as `--skip` has them. */
export function layerNames(layers: Compression["layers"]): string[] {
  const stacks = layers.map(({ site }) => (site.startsWith("decoder.") ? "decoder" : "encoder"));
  if (!stacks.includes("decoder")) return layers.map((_, layer) => String(layer));
  return stacks.map((stack, layer) => `${stack}.${stack === "encoder" ? layer : layer - stacks.indexOf("decoder")}`);
}

/** A candidate of a search with what it is drawn by. */
export interface ScoredCandidate {
  readonly candidate: Candidate;
  /** Share of all MLP neurons that it keeps. */
  readonly share: number;
  /** Its score less the dense model's, both on the search's examples; NaN where none was taken. */
  readonly change: number;
  /** Whether it is the one that was taken. */
  readonly isChosen: boolean;
}

/** Every candidate of a search, the dense model included, the largest first. */
export function scoredCandidates({ candidates, layers, chosen }: Compression): ScoredCandidate[] {
  const [dense, kept] = [layers.map(({ of }) => of), layers.map((layer) => layer.kept)];
  const neurons = sum(dense);
  const denseScore =
    candidates.find(({ sizes }) => isSame(sizes, dense))?.score ?? Number(chosen.denseSearchScore ?? Number.NaN);
  return candidates
    .map((candidate) => ({
      candidate,
      share: sum(candidate.sizes) / Math.max(1, neurons),
      change: (candidate.score ?? Number.NaN) - denseScore,
      isChosen: isSame(candidate.sizes, kept),
    }))
    .sort((a, b) => b.share - a.share);
}

/** How far what the model says moves when one layer alone keeps `kept` neurons. */
export interface LayerAlone {
  readonly layer: number;
  readonly kept: number;
  readonly of: number;
  readonly divergence: number;
}

/** The measurements in which one layer alone was made smaller. */
export function layersAlone({ candidates, layers }: Compression): LayerAlone[] {
  return candidates.flatMap(({ sizes, divergence }) => {
    const changed = layers.flatMap(({ of }, layer) => (sizes[layer] === of ? [] : [layer]));
    const [layer] = changed;
    if (changed.length !== 1 || layer === undefined || divergence === undefined) return [];
    return [{ layer, kept: sizes[layer]!, of: layers[layer]!.of, divergence }];
  });
}

/** Measured importance of each layer's MLP: how far what the model says moves without it; null where it was not measured for all. */
export function measuredImportance(record: Compression): number[] | null {
  const gone = layersAlone(record).filter(({ kept }) => kept === 0);
  const byLayer = record.layers.map((_, layer) => gone.find((of) => of.layer === layer)?.divergence);
  return byLayer.every((value) => value !== undefined) ? byLayer : null;
}

/** Change of the main metric on examples that no choice has seen. */
export function statedChange({ before, after, metricName }: Compression): number {
  return (after.metrics[metricName] ?? Number.NaN) - (before.metrics[metricName] ?? Number.NaN);
}

/** The same change of what an export in the plan's few bits will be; null where the plan has none. */
export function quantizedChange({ before, quantized, metricName }: Compression): number | null {
  return quantized === undefined
    ? null
    : (quantized[metricName] ?? Number.NaN) - (before.metrics[metricName] ?? Number.NaN);
}

/** A measured model of a benchmark beside the score that is known of it. */
export interface BenchedScore {
  readonly name: string;
  readonly row: BenchRow;
  /** Median time over the dense source's in float32 at the same batch size. */
  readonly latencyRatio: number;
  readonly memoryRatio: number;
  /** Change in score against the dense source. */
  readonly change: number;
}

/** The rows of a benchmark that a compression's scores belong to: its folder and its source. */
export function benchedScores(list: readonly CompressionReport[], bench: BenchReport | null): BenchedScore[] {
  const rows = bench?.rows ?? [];
  // of models that write, whole texts
  const phase = rows.some(isWriting) ? "generate" : "encode";
  const own = rows.filter((row) => row.engine === "onnxruntime" && (row.phase ?? "encode") === phase);
  const scored = list.flatMap(({ name, record }) => {
    const ofBoth = own.filter(({ run }) => isFolder(run, record.folder) || isFolder(run, record.source));
    return ofBoth.flatMap((row): BenchedScore[] => {
      const dense = ofBoth.find(
        (of) => isFolder(of.run, record.source) && of.precision === "fp32" && of.batch === row.batch,
      );
      const change = changeOf(record, row);
      if (dense === undefined || change === null) return [];
      const latencyRatio = row.latencyMs.p50 / dense.latencyMs.p50;
      const memoryRatio = row.peakRssBytes / dense.peakRssBytes;
      return [{ name: isFolder(row.run, record.folder) ? name : "dense", row, latencyRatio, memoryRatio, change }];
    });
  });
  // a source of several compressions stands once
  return scored.filter(({ row }, at) => scored.findIndex((of) => of.row === row) === at);
}

function changeOf(record: Compression, { run, precision }: BenchRow): number | null {
  if (!isFolder(run, record.folder)) return precision === "fp32" ? 0 : null;
  if (precision === "fp32") return statedChange(record);
  return record.quantization === precision ? quantizedChange(record) : null;
}

const plain = (folder: string) => folder.replace(/^\.\//, "").replace(/\/+$/, "");
const isFolder = (a: string, b: string) => plain(a) === plain(b);
const isSame = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, i) => n === b[i]);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
