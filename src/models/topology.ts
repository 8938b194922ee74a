// What a model is made of, as the code that builds it says: its blocks, linear layers, heads and MLPs.
import { type Dim, Graph, type Value } from "../graph/index.ts";
import { type Block, type ParameterSpec, type Part, Scope } from "../nn/index.ts";
import type { Weights } from "../tensor/index.ts";
import { encode, languageModelLogits } from "./encoder-decoder.ts";
import { encoderLogits, encoderSpans } from "./encoder-model.ts";
import type { MlpSite } from "./mlp-sites.ts";
import type { Model } from "./registry.ts";

/** A linear layer of a model. */
export interface LinearLayer {
  /** Its site, whose `weight` is `[out, in]`. */
  readonly path: string;
  readonly part: Part;
  readonly hasBias: boolean;
}

/** The parts of a model by name. */
export interface Topology {
  /** Blocks in the order of the layers, the encoder's first. */
  readonly blocks: readonly Block[];
  /** Linear layers, in the order in which they run; those of the heads too. */
  readonly linears: readonly LinearLayer[];
  /** Sites where the heads of tasks begin, of every head that the model may have. */
  readonly heads: readonly string[];
  readonly mlps: readonly MlpSite[];
}

const KNOWN = new WeakMap<Model, Topology>();

/** The topology of a model with all its heads; a part that was removed is not in it. */
export function topologyOf(model: Model): Topology {
  const known = KNOWN.get(model);
  if (known !== undefined) return known;
  const parameters = parametersOf(model);
  const blocks = new Map(
    parameters.flatMap(({ part }) => (part?.kind === "block" ? [[part.path, part] as const] : [])),
  );
  const names = new Set(parameters.map(({ name }) => name));
  const topology: Topology = {
    blocks: [...blocks.values()],
    linears: parameters.flatMap(({ name, role, shape, part }) =>
      role === "linear" && shape.length === 2
        ? [{ path: siteOf(name), part, hasBias: names.has(`${siteOf(name)}.bias`) }]
        : [],
    ),
    heads: [...new Set(parameters.flatMap(({ part }) => (part?.kind === "head" ? [part.path] : [])))],
    mlps: model.mlps,
  };
  KNOWN.set(model, topology);
  return topology;
}

/** Sites of the linear layers inside blocks, in the order in which they run. */
export function blockLinears(model: Model): readonly (LinearLayer & { readonly part: Block })[] {
  return topologyOf(model).linears.flatMap(({ part, ...rest }) => (part?.kind === "block" ? [{ ...rest, part }] : []));
}

/** Those of the model with each head, by name: heads of different tasks may have one name. */
function parametersOf(model: Model): readonly ParameterSpec[] {
  const parametersWith = (build: (root: Scope, tokens: Tokens) => unknown) => {
    const graph = new Graph();
    const root = Scope.root(graph);
    build(root, (name, length) => graph.input(name, "int64", ["B", length]));
    return root.parameters;
  };
  if (model.writes)
    return parametersWith((root, tokens) =>
      languageModelLogits(model, root, encode(model, root, textOf(tokens)), tokens("labels", "T")),
    );
  const numLabels = Math.max(1, model.config.labels.length);
  const inputsOf = (tokens: Tokens) => ({ ...textOf(tokens), typeIds: tokens("typeIds", "S") });
  const all = [
    ...parametersWith((root, tokens) => encoderLogits(model, root, inputsOf(tokens), numLabels)),
    ...parametersWith((root, tokens) => encoderSpans(model, root, inputsOf(tokens))),
  ];
  const firsts = new Map(all.map((spec) => [spec.name, spec] as const).reverse());
  return all.filter((spec) => firsts.get(spec.name) === spec);
}

type Tokens = (name: string, length: Dim) => Value;

const textOf = (tokens: Tokens) => ({ tokenIds: tokens("tokenIds", "S"), attentionMask: tokens("attentionMask", "S") });

/** Whether a tensor of this name is of a head of a task. */
export function isHeadName(model: Model, name: string): boolean {
  return topologyOf(model).heads.some((head) => name.startsWith(`${head}.`));
}

/** Sites of the linear layers outside the heads of which `weights` has the matrix, in the order in which they run. */
export function linearSites(model: Model, weights: Pick<Weights, "has">): string[] {
  return topologyOf(model).linears.flatMap(({ path, part }) =>
    (part === null || part.kind === "block") && weights.has(`${path}.weight`) ? [path] : [],
  );
}

const siteOf = (name: string): string => name.slice(0, name.lastIndexOf("."));
