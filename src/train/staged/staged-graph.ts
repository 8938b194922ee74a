// Each stage as two small graphs: forward, and backward with its forward pass made again from what was kept.
import { backward } from "../../autodiff/index.ts";
import { type AddedTap, squaredSensitivity } from "../../density/index.ts";
import { invariant } from "../../errors.ts";
import { add, Graph, isOp, mul, reachable, reduceSum, transplant, type Value } from "../../graph/index.ts";
import type { Kept, Stage } from "./staged-cut.ts";

/** The outputs of a stage's programs, by name; inputs beside those of the whole step: `kept.N`, `cotangent.N`, `grad.P`. */
export interface StageGraph {
  readonly stage: Stage;
  /** `made.N` and results; null for the last stage, whose backward program does both. */
  readonly forward: Readonly<Record<string, Value>> | null;
  /**
   * `next.cotangent.N` of what it reads, `next.grad.P` = `grad.P` + its part, and what is read off the gradient; null where nothing is
   * to be learned.
   */
  readonly backward: Readonly<Record<string, Value>> | null;
}

/**
 * Differentiates the result `loss` stage by stage; results named in `sensitive` give way to how sensitive the loss is to them. The scalar that a stage differentiates is the sum of its outputs times
 * their cotangents, whose gradients are those of the whole: the chain rule, cut at a boundary.
 * @see Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
 */
export function differentiateStages(
  stages: readonly Stage[],
  trainable: readonly Value[],
  sensitive: ReadonlyMap<string, AddedTap> = new Map(),
): StageGraph[] {
  const learns = onPath(stages, trainable);
  const names = new Set(trainable.map(nameOf));
  const awaited = new Set<Kept>();
  const graphs: StageGraph[] = [];
  for (const [i, stage] of [...stages.entries()].reverse()) {
    const built = buildStage(stage, { awaited, learns, names, sensitive });
    const isLast = i === stages.length - 1;
    invariant("loss" in stage.results === isLast, "the loss is known in the last stage, and only there");
    graphs.push({
      stage,
      forward: isLast ? null : built.forward,
      backward: isLast ? { ...built.forward, ...built.backward } : built.backward,
    });
  }
  return graphs.reverse();
}

interface Learning {
  /** What already has a cotangent: some later stage differentiates with respect to it. */
  readonly awaited: Set<Kept>;
  readonly learns: ReadonlySet<Value>;
  readonly names: ReadonlySet<string>;
  readonly sensitive: ReadonlyMap<string, AddedTap>;
}

function buildStage({ reads, makes, results: all }: Stage, { awaited, learns, names, sensitive }: Learning) {
  const results = Object.fromEntries(Object.entries(all).filter(([name]) => !sensitive.has(name)));
  const probed = Object.entries(all).filter(([name]) => sensitive.has(name));
  const graph = new Graph();
  const given = new Map(
    reads.map(({ index, value }) => [value, graph.input(`kept.${index}`, value.dtype, value.shape)]),
  );
  const wanted = [...makes.map(({ value }) => value), ...Object.values(results), ...probed.map(([, value]) => value)];
  const made = transplant(wanted, graph, given);
  const outputs = [...makes.map(({ index }) => `made.${index}`), ...Object.keys(results)];
  const bound = sizeSources(graph, [...reads, ...makes]);
  const forward = { ...Object.fromEntries(outputs.map((name, i) => [name, made[i]!])), ...bound };
  const seeds = makes.flatMap((kept, i) => (awaited.has(kept) ? [seed(graph, kept, made[i]!)] : []));
  if ("loss" in results) seeds.push(forward["loss"]!);
  if (seeds.length === 0) return { forward, backward: null };
  const loss = seeds.reduce((a, b) => add(a, b));
  const alive = new Set(reachable([loss]));
  const inputs = reads.filter(({ value }) => learns.has(value) && alive.has(given.get(value)!.node));
  const probes = probed.map(([name], i) => ({ name, value: made[outputs.length + i]! }));
  const parameters = [...alive].flatMap(({ outputs: [value] }) => (names.has(nameOf(value!)) ? [value!] : []));
  if (inputs.length + parameters.length === 0) return { forward, backward: null };
  const gradients = backward(loss, [
    ...inputs.map(({ value }) => given.get(value)!),
    ...parameters,
    ...probes.map(({ value }) => value),
  ]);
  const result: Record<string, Value> = { ...bound };
  inputs.forEach((kept, i) => {
    awaited.add(kept);
    result[`next.cotangent.${kept.index}`] = gradients[i]!;
  });
  parameters.forEach((parameter, i) => {
    const name = nameOf(parameter);
    const sum = graph.input(`grad.${name}`, "float32", parameter.shape);
    result[`next.grad.${name}`] = add(sum, gradients[inputs.length + i]!);
  });
  probes.forEach(({ name, value }, i) => {
    result[name] = squaredSensitivity(
      { ...sensitive.get(name)!, added: value },
      gradients[inputs.length + parameters.length + i]!,
    );
  });
  return { forward, backward: result };
}

/**
 * The batch's inputs that the open sizes of kept values come from, as outputs that nobody needs: virtual tokens make a
 * sequence `S+20` long, and a program that never met one `S` long could not tell S.
 */
function sizeSources(graph: Graph, kept: readonly Kept[]): Record<string, Value> {
  const names = new Set(
    kept.flatMap(({ value }) =>
      value.shape.flatMap((dim) => String(dim).match(/[A-Za-z_]\w*(?=[*+-])|(?<=[*+-])[A-Za-z_]\w*/g) ?? []),
    ),
  );
  const sources: Record<string, Value> = {};
  for (const name of names) {
    const source = kept[0]!.value.graph.nodes.find(
      (node) => isOp(node, "input") && node.outputs[0]!.shape.includes(name),
    );
    if (source) sources[`next.size.${name}`] = transplant(source.outputs, graph)[0]!;
  }
  return sources;
}

/** `Σ value · cotangent`, a scalar. */
function seed(graph: Graph, { index }: Kept, value: Value): Value {
  const product = mul(value, graph.input(`cotangent.${index}`, value.dtype, value.shape));
  return value.shape.length === 0 ? product : reduceSum(product);
}

/** The kept values with something trained before them. */
function onPath(stages: readonly Stage[], trainable: readonly Value[]): ReadonlySet<Value> {
  const found = new Set(trainable.map(({ node }) => node));
  const kept = stages.flatMap(({ makes }) => makes.map(({ value }) => value));
  for (const node of reachable(kept)) if (node.inputs.some((input) => found.has(input.node))) found.add(node);
  return new Set(kept.filter(({ node, dtype }) => found.has(node) && dtype.startsWith("float")));
}

/** The name of a trained parameter; empty for other values. */
function nameOf({ node }: Value): string {
  return isOp(node, "parameter") && node.attributes.trainable ? node.attributes.name : "";
}
