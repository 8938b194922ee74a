// The paper's numbers stand beside ours only where ours are of the same model, task and method.
import { describe, expect, test } from "vitest";
import { sampleBench, sampleCompressed } from "../../test/support/compressions.ts";
import { sampleComparison } from "../../test/support/records.ts";
import type { Density, DensityReport } from "../density/index.ts";
import { type Comparison, comparisonRow } from "../jobs/compare/comparison.ts";
import { resolveSettings } from "../settings/index.ts";
import type { CompressionReport } from "./candidates.ts";
import { paperTable } from "./paper.ts";

const density = (paper: number, neurons: number): Density => ({
  paper,
  exact: paper,
  thresholds: { "0.01": paper / 2 },
  deadNeurons: 0,
  rareNeurons: 0,
  neurons,
});

interface Shape {
  readonly sites: readonly string[];
  readonly neurons: number;
}

const encoder = (prefix: string, layers: number, neurons: number): Shape => ({
  sites: Array.from({ length: layers }, (_, layer) => `${prefix}.encoder.layer.${layer}.intermediate`),
  neurons,
});
const t5 = (layers: number, neurons: number): Shape => ({
  sites: ["encoder", "decoder"].flatMap((stack) =>
    Array.from(
      { length: layers },
      (_, block) => `${stack}.block.${block}.layer.${stack === "encoder" ? 1 : 2}.DenseReluDense`,
    ),
  ),
  neurons,
});

function report({ sites, neurons }: Shape, paper: number): DensityReport {
  const layers = sites.map((site, layer) => ({
    stack: site.startsWith("decoder.") ? ("decoder" as const) : ("encoder" as const),
    layer,
    site,
    ...density(paper, neurons),
  }));
  const hasDecoder = layers.some(({ stack }) => stack === "decoder");
  return { encoder: density(paper, neurons), ...(hasDecoder ? { decoder: density(paper, neurons) } : {}), layers };
}

function comparison(model: string, task: string, shape: Shape, methods: readonly string[] = ["lora"]): Comparison {
  const evaluation = (paper: number) => ({
    task,
    split: "dev",
    examples: 10,
    loss: 0.5,
    metrics: { accuracy: 0.9 },
    density: report(shape, paper),
    timing: { examplesPerSecond: 1, totalMs: 1 },
  });
  const rows = methods.map((method) =>
    comparisonRow({ method, seed: 1, peft: evaluation(0.8), deft: evaluation(0.6) }, "accuracy"),
  );
  return { task, model, metricName: "accuracy", rows };
}

/** The same, measured on models whose activation function has zeros by itself. */
function withZeros({ rows, ...rest }: Comparison): Comparison {
  const exact = (of: (typeof rows)[number]["peft"]) => ({
    ...of,
    density: { ...of.density, headline: "exact" as const },
  });
  return { ...rest, rows: rows.map((row) => ({ ...row, peft: exact(row.peft), deft: exact(row.deft) })) };
}

const ROBERTA = encoder("roberta", 24, 4096);
const table = (...comparisons: Comparison[]) => paperTable({ comparisons, compressions: [], bench: null });

describe("the paper's table", () => {
  test("has RoBERTa-large on GLUE beside ours", () => {
    expect(table(comparison("FacebookAI/roberta-large", "sst2", ROBERTA, ["lora", "adapter"]))?.rows).toEqual([
      [
        "RoBERTa-large, GLUE",
        "density change",
        "encoder",
        "44.94 %",
        "25.00 %",
        "25.00 %",
        "lora, adapter: sst2",
        "mean over methods and tasks; version 1 of the paper: 50.72 %",
      ],
    ]);
  });

  test("has Flan-T5-XL with LoRA by stack, before and after", () => {
    const rows = table(comparison("google/flan-t5-xl", "squad", t5(24, 5120)))?.rows;
    expect(rows?.map(([where, what, stack, , ours]) => [where, what, stack, ours])).toEqual([
      ["Flan-T5-XL with LoRA, PEFT", "density", "encoder", "80.00 %"],
      ["Flan-T5-XL with LoRA, DEFT", "density", "encoder", "60.00 %"],
      ["Flan-T5-XL with LoRA, PEFT", "density", "decoder", "80.00 %"],
      ["Flan-T5-XL with LoRA, DEFT", "density", "decoder", "60.00 %"],
    ]);
  });

  test.each<[string, Comparison]>([
    ["another task", comparison("FacebookAI/roberta-large", "text-classification", ROBERTA)],
    ["another size of the family", comparison("FacebookAI/roberta-base", "sst2", encoder("roberta", 12, 3072))],
    ["another family of the size", comparison("bert-large", "sst2", encoder("bert", 24, 4096))],
    ["another method", comparison("FacebookAI/roberta-large", "sst2", ROBERTA, ["full"])],
    ["another method of the model", comparison("google/flan-t5-xl", "squad", t5(24, 5120), ["adapter"])],
    ["a T5 of the size that is no Flan-T5", comparison("google/t5-v1_1-xl", "squad", t5(24, 5120))],
    ["a Flan-T5 of another size", comparison("google/flan-t5-base", "squad", t5(12, 2048))],
    ["text to text of the model", comparison("google/flan-t5-xl", "seq2seq", t5(24, 5120))],
    ["ReLU in place of the model's GELU", withZeros(comparison("FacebookAI/roberta-large", "sst2", ROBERTA))],
    ["this package's demo", sampleComparison()],
  ])("is left out for %s", (_, own) => {
    expect(table(own)).toBeNull();
  });

  test("takes the mean over those rows alone that compare", () => {
    const rows = table(
      comparison("FacebookAI/roberta-large", "sst2", ROBERTA, ["lora", "full"]),
      comparison("bert-large", "rte", encoder("bert", 24, 4096)),
      comparison("FacebookAI/roberta-large", "rte", ROBERTA, ["prompt"]),
    )?.rows;
    expect(rows?.map((row) => row[6])).toEqual(["lora, prompt: sst2, rte"]);
  });
});

describe("runtime and memory", () => {
  const settings = resolveSettings({
    flags: { model: "google/flan-t5-xl", task: "squad", data: "data/squad", method: "lora", ada: true },
  });
  const compressed = (over: Partial<CompressionReport["record"]> = {}): CompressionReport => {
    const { sites, neurons } = t5(24, 5120);
    const own = sampleCompressed();
    return {
      ...own,
      record: {
        ...own.record,
        layers: sites.map((site) => ({ site, kept: neurons, of: neurons })),
        run: { settings, labels: [], metricName: "f1" },
        ...over,
      },
    };
  };

  test("of a model made smaller by its gates, as the benchmark has them", () => {
    const rows = paperTable({ comparisons: [], compressions: [compressed()], bench: sampleBench() })?.rows;
    expect(rows?.map((row) => [row[0], row[1], row[4], row[6]])).toEqual([
      ["ADA-DEFT, Flan-T5-XL", "runtime change", "−25.00 %", "small, p50, batch 1"],
      [
        "ADA-DEFT, Flan-T5-XL",
        "memory change",
        expect.stringMatching(/^−\d/),
        "small, peak memory of the process, batch 1",
      ],
    ]);
    const untimed = paperTable({ comparisons: [], compressions: [compressed()], bench: null })?.rows;
    expect(untimed?.at(-1)?.[6]).toBe("small, float32 weights");
  });

  test.each<[string, CompressionReport]>([
    ["no gates", { ...compressed(), gates: null }],
    ["another model", sampleCompressed()],
    ["no run behind it", compressed({ run: null })],
  ])("not of one with %s", (_, own) => {
    expect(paperTable({ comparisons: [], compressions: [own], bench: sampleBench() })).toBeNull();
  });
});
