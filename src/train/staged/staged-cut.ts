// Cuts a forward pass at the inputs of its blocks: stages that run one after the other and hand on few values.
import { invariant } from "../../errors.ts";
import { type Node, reachable, type Value } from "../../graph/index.ts";
import type { Hooks } from "../../nn/index.ts";

/** A value that one stage makes, and later ones read. */
export interface Kept {
  readonly index: number;
  readonly value: Value;
}

/** A part of the forward pass that runs by itself. */
export interface Stage {
  /** Where its work stands in the model: the sites of what it makes. */
  readonly site: string;
  readonly reads: readonly Kept[];
  readonly makes: readonly Kept[];
  /** Those of the wanted results that are known here. */
  readonly results: Readonly<Record<string, Value>>;
}

/** The input of each block, `[B, S, D]`, by the block's path. */
export type Blocks = ReadonlyMap<string, Value>;

/** Hooks that change nothing and note what each block's first sublayer begins from. */
export function blockTap(): { readonly hooks: Hooks; readonly blocks: Blocks } {
  const blocks = new Map<string, Value>();
  return {
    blocks,
    hooks: {
      sublayer(site, x, h) {
        const { part } = site;
        if (part?.kind === "block" && !blocks.has(part.path)) blocks.set(part.path, x);
        return h;
      },
    },
  };
}

/**
 * The stages in order; one begins at each block's input. What depends on such inputs is made in the stage of the last of
 * them, or of the block whose site it has, and is kept where a later stage reads it; what depends on none (masks, position
 * biases) is cheap and is made again wherever it is read.
 */
export function cutStages(results: Readonly<Record<string, Value>>, blocks: Blocks): Stage[] {
  const order = reachable(Object.values(results));
  const levels = stageOfNodes(order, blocks);
  const isBoundary = new Set(blocks.values());
  const levelOf = (value: Value) => levels.get(value.node)!;
  const crossing = new Set<Value>();
  for (const node of order)
    for (const input of node.inputs)
      if (isBoundary.has(input) || (levelOf(input) > 0 && levelOf(input) < levels.get(node)!)) crossing.add(input);
  const kept = [...crossing].sort((a, b) => a.id - b.id).map((value, index): Kept => ({ index, value }));
  const last = [...levels.values()].reduce((most, level) => Math.max(most, level), 0);
  const stages: Stage[] = [];
  for (let level = 0; level <= last; level++) {
    const makes = kept.filter(({ value }) => levelOf(value) === level);
    const own = Object.fromEntries(Object.entries(results).filter(([, value]) => levelOf(value) === level));
    const wanted = [...makes.map(({ value }) => value), ...Object.values(own)];
    if (wanted.length === 0) continue;
    const before = kept.filter(({ value }) => levelOf(value) < level);
    stages.push({ site: wanted[0]!.node.site, reads: readsOf(wanted, before), makes, results: own });
  }
  return stages;
}

/** The stage of each node; 0 for what depends on no block's input. */
function stageOfNodes(order: readonly Node[], blocks: Blocks): ReadonlyMap<Node, number> {
  const sorted = [...blocks].sort(([, a], [, b]) => a.id - b.id);
  const behind = new Map(sorted.map(([, value], i) => [value, i + 1]));
  const levelAt = blockLevels(sorted.map(([block]) => block));
  const levels = new Map<Node, number>();
  for (const node of order) {
    const level = Math.max(0, ...node.inputs.map((input) => behind.get(input) ?? levels.get(input.node)!));
    // a decoder block's keys of the encoder depend on no block of the decoder, and are its own all the same
    levels.set(node, level === 0 ? 0 : Math.max(level, levelAt(node.site)));
  }
  for (const [value, level] of behind)
    invariant((levels.get(value.node) ?? 0) < level, `the block input at ${value.node.site} depends on itself`);
  return levels;
}

/** The stage of the block that a site lies in, by blocks in order; 0 outside of them. */
function blockLevels(blocks: readonly string[]): (site: string) => number {
  const known = new Map<string, number>();
  return (site) => {
    const level = known.get(site) ?? blocks.findIndex((block) => site === block || site.startsWith(`${block}.`)) + 1;
    known.set(site, level);
    return level;
  };
}

/** Those of the values made before that `wanted` is made of. */
function readsOf(wanted: readonly Value[], before: readonly Kept[]): Kept[] {
  const byValue = new Map(before.map((one) => [one.value, one]));
  const reads = new Set<Kept>();
  const seen = new Set<Node>();
  const open = [...wanted];
  for (let value = open.pop(); value; value = open.pop()) {
    const read = byValue.get(value);
    if (read) reads.add(read);
    else if (!seen.has(value.node)) {
      seen.add(value.node);
      open.push(...value.node.inputs);
    }
  }
  return [...reads].sort((a, b) => a.index - b.index);
}
