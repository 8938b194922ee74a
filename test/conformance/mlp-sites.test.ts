// `mlpSites` names what hooks see and what the graph reads, on every architecture.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gateName, mlpGates } from "../../src/density/index.ts";
import { anyModel, neuronRows } from "../../src/models/index.ts";
import { compose } from "../../src/nn/index.ts";
import { headOnly } from "../../src/peft/index.ts";
import { compensationBiases, compensationBiasName, maskName, meanName, neuronMasks } from "../../src/prune/index.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { buildStep } from "../../src/train/index.ts";

const MODELS = [
  "encoders/checkpoints/bert-gelu",
  "encoders/checkpoints/roberta-gelu",
  "encoders/checkpoints/xlm-roberta-gelu",
  "encoders/checkpoints/camembert-gelu",
  "encoders/checkpoints/distilbert-gelu",
  "encoders/checkpoints/electra-gelu",
  "encoders/checkpoints/mpnet-gelu",
  "encoders/checkpoints/modernbert-gelu",
  "t5/checkpoints/t5-v10",
  "t5/checkpoints/t5-v11",
  "t5/checkpoints/mt5-gelu",
];

test.each(MODELS)("%s", (folder) => {
  const model = anyModel(JSON.parse(readFileSync(`test/golden/${folder}/config.json`, "utf8")));
  const isEncoder = !model.writes;
  const head = isEncoder ? ({ kind: "classification", numLabels: 2 } as const) : ({ kind: "language-model" } as const);
  const method = { ...headOnly(), hooks: compose(compensationBiases(), neuronMasks(), mlpGates()) };
  const { taps, parameters } = buildTaskGraph({ model, method, head });
  const sites = model.mlps;
  expect(sites.length).toBeGreaterThan(0);
  expect(taps.map(({ site, stack, layer }) => ({ site, stack, layer }))).toEqual(
    sites.map(({ activation, stack, layer }) => ({ site: activation, stack, layer })),
  );
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape.join()]));
  const { hiddenSize } = model.config;
  for (const site of sites) {
    const { activation, sublayer, out, norm, neurons } = site;
    expect(shapes.get(maskName(activation))).toBe(`${neurons}`);
    expect(shapes.get(compensationBiasName(sublayer))).toBe(`${hiddenSize}`);
    expect(shapes.get(gateName(sublayer))).toBe("1");
    for (const { path, parts } of neuronRows(site))
      expect(shapes.get(`${path}.weight`)).toBe(`${parts * neurons},${hiddenSize}`);
    expect(shapes.get(`${out}.weight`)).toBe(`${hiddenSize},${neurons}`);
    expect(shapes.get(`${norm}.weight`)).toBe(`${hiddenSize}`);
  }
  // in the order of the sites: the price and the density of each gate are those of its own MLP
  const options = {
    model,
    method,
    head,
    density: { positions: "attended" },
    weightDecay: 0,
    maxGradNorm: null,
  } as const;
  const step = buildStep({ ...options, gates: { kind: "sigmoid", weight: 1, rate: 1 }, neuronEnergies: true });
  const gates = step.trainable.filter(({ name }) => name.endsWith(".mlp_gate")).map(({ name }) => name);
  expect(gates).toEqual(sites.map(({ sublayer }) => gateName(sublayer)));
  const read = buildStep({ ...options, gates: { kind: "importance" } });
  expect(read.gates).toEqual(sites.map(({ sublayer, stack }) => ({ site: sublayer, stack, width: hiddenSize })));
  expect(step.buffers.map(({ name }) => name)).toEqual(
    sites.flatMap(({ activation, sublayer }) => [maskName(activation), compensationBiasName(sublayer)]),
  );
  expect(Object.keys(step.step).filter((name) => name.startsWith("energy."))).toEqual(
    sites.flatMap(({ activation }) => [`energy.${activation}`, `energy.${meanName(activation)}`]),
  );
});
