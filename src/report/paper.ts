// The paper's numbers, to stand beside ours: arXiv 2402.01911 (AAAI 2025).
import { type DensityReport, densityBy, headlineDefinition, NEAR_ZERO_DEFINITION } from "../density/index.ts";
import type { BenchReport, Comparison } from "../jobs/index.ts";
import { benchedScores, type CompressionReport } from "./candidates.ts";
import { definitionLabel, percent } from "./format.ts";
import type { TextTable } from "./tables/table.ts";

/** A model of the paper, told apart by its shape and, where a family shares the shape, by its name. */
type PaperModel = "RoBERTa-large" | "Flan-T5-XL" | "Flan-T5-XXL";

/** One number of the paper; `value` is a fraction, `where` says which experiment. */
export interface PaperFigure {
  readonly what: "density change" | "density" | "runtime change" | "memory change";
  readonly where: string;
  readonly model: PaperModel;
  readonly tasks: "GLUE" | "SQuAD";
  /** The methods that the number is of; it is a mean over them where there are several. */
  readonly methods: readonly string[];
  /** A run without (`peft`) or with (`deft`) the density loss; absent for changes. */
  readonly side?: "peft" | "deft";
  readonly stack: "encoder" | "decoder" | null;
  readonly value: number;
  readonly note?: string;
}

const GLUE_MEAN = ["adapter", "lora", "prompt", "prefix"];
const SQUAD_MEAN = ["adapter", "lora", "qlora", "prompt", "prefix"];
const ROBERTA = { where: "RoBERTa-large, GLUE", model: "RoBERTa-large", tasks: "GLUE", methods: GLUE_MEAN } as const;
const XXL = { where: "Flan-T5-XXL, SQuAD", model: "Flan-T5-XXL", tasks: "SQuAD", methods: SQUAD_MEAN } as const;
const XL_LORA = { model: "Flan-T5-XL", tasks: "SQuAD", methods: ["lora"] } as const;
const ADA_XL = { where: "ADA-DEFT, Flan-T5-XL", model: "Flan-T5-XL", tasks: "SQuAD", methods: SQUAD_MEAN } as const;
const ADA_XXL = { where: "ADA-DEFT, Flan-T5-XXL", model: "Flan-T5-XXL", tasks: "SQuAD", methods: SQUAD_MEAN } as const;
const PEFT_XL = { ...XL_LORA, where: "Flan-T5-XL with LoRA, PEFT", side: "peft" } as const;
const DEFT_XL = { ...XL_LORA, where: "Flan-T5-XL with LoRA, DEFT", side: "deft" } as const;

/** Headline numbers; density changes are positive when sparser, runtime and memory negative when less. */
export const PAPER_FIGURES: readonly PaperFigure[] = [
  {
    ...ROBERTA,
    what: "density change",
    stack: "encoder",
    value: 0.4494,
    note: "mean over methods and tasks; version 1 of the paper: 50.72 %",
  },
  { ...XXL, what: "density change", stack: "encoder", value: 0.5319, note: "mean over methods" },
  { ...XXL, what: "density change", stack: "decoder", value: 0.906, note: "mean over methods" },
  { ...PEFT_XL, what: "density", stack: "encoder", value: 0.9999 },
  { ...DEFT_XL, what: "density", stack: "encoder", value: 0.6153 },
  { ...PEFT_XL, what: "density", stack: "decoder", value: 0.9996 },
  { ...DEFT_XL, what: "density", stack: "decoder", value: 0.187 },
  { ...ADA_XL, what: "runtime change", stack: null, value: -0.0879 },
  { ...ADA_XL, what: "memory change", stack: null, value: -0.1746 },
  { ...ADA_XXL, what: "runtime change", stack: null, value: -0.0279 },
  { ...ADA_XXL, what: "memory change", stack: null, value: -0.0254 },
];

/** Why the paper's densities are not ours: read before comparing. */
export const PAPER_CAVEAT =
  "The paper counts exact zeros over all positions, padding included; GELU gives an exact zero only where floats round " +
  "to one, and padding is most of the positions. Compare it with our “non-zero, with padding” alone.";

/** What this page measured, to stand beside the paper; fractions, null where it was not measured. */
export interface OwnFigures {
  readonly comparisons: readonly Comparison[];
  readonly compressions: readonly CompressionReport[];
  readonly bench: BenchReport | null;
}

const GLUE_TASKS = new Set(["cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli"]);

/**
 * The paper's numbers with ours beside them, only where ours are of the paper's model, one of its tasks and one of its methods. Null
 * where none is: numbers of other models would stand side by side and not compare.
 */
export function paperTable(own: OwnFigures): TextTable | null {
  const found = PAPER_FIGURES.flatMap((figure) => {
    const ours = ownFigure(figure, own);
    return ours === null ? [] : [{ figure, ours }];
  });
  if (found.length === 0) return null;
  return {
    head: [
      "experiment",
      "what",
      "stack",
      "paper",
      "ours",
      `ours, ${definitionLabel(NEAR_ZERO_DEFINITION)}`,
      "ours measured on",
      "note",
    ],
    align: ["left", "left", "left", "right", "right", "right", "left", "left"],
    rows: found.map(({ figure: { what, where, stack, value, note = "" }, ours }) => [
      where,
      what,
      stack ?? "",
      percent(value, 2),
      percent(ours.value, 2),
      percent(ours.headline, 2),
      ours.on,
      note,
    ]),
  };
}

function ownFigure(figure: PaperFigure, { comparisons, compressions, bench }: OwnFigures) {
  const { what, side, stack } = figure;
  if (what === "runtime change" || what === "memory change") return ownDeployment(figure, compressions, bench);
  const rows = comparisons.flatMap(({ task, model = "", rows: all }) =>
    all
      .filter((row) => isAlike(figure, { model, task, method: row.method, density: row.deft.density }))
      .map((row) => ({ task, row })),
  );
  if (rows.length === 0 || stack === null) return null;
  const unique = (values: readonly string[]) => [...new Set(values)].join(", ");
  const on = `${unique(rows.map(({ row }) => row.method))}: ${unique(rows.map(({ task }) => task))}`;
  const by = (definition: string) =>
    mean(
      rows.map(({ row }) => {
        if (side === undefined) return row.densityChanges[definition]?.[stack] ?? Number.NaN;
        const density = row[side].density[stack];
        return density === undefined ? Number.NaN : densityBy(density, definition);
      }),
    );
  return finite(by("paper"), on, by(NEAR_ZERO_DEFINITION));
}

/** Runtime and memory of a model that was made smaller by its gates. */
function ownDeployment(figure: PaperFigure, compressions: readonly CompressionReport[], bench: BenchReport | null) {
  const alike = compressions.filter(({ record: { run, layers }, gates }) => {
    if (run === null || gates === null) return false;
    const { model, task, method } = run.settings;
    return isAlike(figure, { model, task, method: method.kind, layers });
  });
  const isRuntime = figure.what === "runtime change";
  const benched = benchedScores(alike, bench).filter(({ name, row }) => name !== "dense" && row.precision === "fp32");
  const smallest = benched.toSorted((a, b) => a.row.batch - b.row.batch || a.latencyRatio - b.latencyRatio)[0];
  if (smallest !== undefined) {
    const ratio = isRuntime ? smallest.latencyRatio : smallest.memoryRatio;
    const measure = isRuntime ? "p50" : "peak memory of the process";
    return finite(ratio - 1, `${smallest.name}, ${measure}, batch ${smallest.row.batch}`);
  }
  const [first] = alike;
  if (first === undefined) return null;
  const { before, after, chosen } = first.record;
  return isRuntime
    ? finite(Number(chosen.latency ?? Number.NaN) - 1, `${first.name}, timed in the search`)
    : finite(after.parameters / before.parameters - 1, `${first.name}, float32 weights`);
}

/** What an own measurement is of. */
interface Measured {
  readonly model: string;
  readonly task: string;
  readonly method: string;
  readonly density?: DensityReport;
  readonly layers?: CompressionReport["record"]["layers"];
}

/** Whether a measurement is of the paper's model, one of its tasks and one of its methods. */
function isAlike({ model, tasks, methods }: PaperFigure, own: Measured): boolean {
  const isTask = tasks === "SQuAD" ? own.task === "squad" : GLUE_TASKS.has(own.task);
  const [method = ""] = own.method.split(",");
  return isTask && methods.includes(method) && modelOf(own) === model;
}

const T5_SIZES: Readonly<Record<number, PaperModel>> = { 5120: "Flan-T5-XL", 10240: "Flan-T5-XXL" };

/** The paper's model that a measurement is of, by layers, neurons and the sites' names; null for any other, and for one with ReLU in place of its GELU. */
function modelOf({ model, density, layers }: Measured): PaperModel | null {
  if (density !== undefined && headlineDefinition(density) === "exact") return null;
  const mlps = density?.layers.map(({ site, neurons }) => ({ site, neurons })) ?? [];
  const all = layers?.map(({ site, of }) => ({ site, neurons: of })) ?? mlps;
  const sizes = new Set(all.map(({ neurons }) => neurons));
  const [size] = sizes;
  if (sizes.size !== 1 || size === undefined) return null;
  const isDecoder = ({ site }: { readonly site: string }) => site.startsWith("decoder.");
  const numEncoder = new Set(all.filter((mlp) => !isDecoder(mlp)).map(({ site }) => site)).size;
  if (numEncoder !== 24) return null;
  if (all.some(isDecoder)) return /flan/i.test(model) ? (T5_SIZES[size] ?? null) : null;
  return size === 4096 && all[0]!.site.startsWith("roberta.") ? "RoBERTa-large" : null;
}

function finite(value: number, on: string, headline = Number.NaN) {
  return Number.isFinite(value) ? { value, on, headline } : null;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
