// The paper's numbers, to stand beside ours: arXiv 2402.01911 (AAAI 2025).

import { densityBy, HEADLINE_DEFINITION } from "../density/index.ts";
import type { BenchReport, Comparison } from "../jobs/index.ts";
import { benchedScores, type CompressionReport } from "./candidates.ts";
import { definitionLabel, percent } from "./format.ts";
import type { TextTable } from "./tables/table.ts";

/** One number of the paper; `value` is a fraction, `where` says which experiment. */
export interface PaperFigure {
  readonly what: "density change" | "density" | "runtime change" | "memory change";
  readonly where: string;
  readonly stack: "encoder" | "decoder" | null;
  readonly value: number;
  readonly note?: string;
}

/** Headline numbers; density changes are positive when sparser, runtime and memory negative when less. */
export const PAPER_FIGURES: readonly PaperFigure[] = [
  {
    what: "density change",
    where: "RoBERTa-large, GLUE",
    stack: "encoder",
    value: 0.4494,
    note: "version 1 of the paper: 50.72 %",
  },
  { what: "density change", where: "Flan-T5-XXL, SQuAD", stack: "encoder", value: 0.5319 },
  { what: "density change", where: "Flan-T5-XXL, SQuAD", stack: "decoder", value: 0.906 },
  { what: "density", where: "Flan-T5-XL with LoRA, PEFT", stack: "encoder", value: 0.9999 },
  { what: "density", where: "Flan-T5-XL with LoRA, DEFT", stack: "encoder", value: 0.6153 },
  { what: "density", where: "Flan-T5-XL with LoRA, PEFT", stack: "decoder", value: 0.9996 },
  { what: "density", where: "Flan-T5-XL with LoRA, DEFT", stack: "decoder", value: 0.187 },
  { what: "runtime change", where: "ADA-DEFT, Flan-T5-XL", stack: null, value: -0.0879 },
  { what: "memory change", where: "ADA-DEFT, Flan-T5-XL", stack: null, value: -0.1746 },
  { what: "runtime change", where: "ADA-DEFT, Flan-T5-XXL", stack: null, value: -0.0279 },
  { what: "memory change", where: "ADA-DEFT, Flan-T5-XXL", stack: null, value: -0.0254 },
];

/** Why the paper's densities are not ours: read before comparing. */
export const PAPER_CAVEAT =
  "The paper counts exact zeros over all positions, padding included; GELU gives an exact zero only where floats round " +
  "to one, and padding is most of the positions. Compare it with our “non-zero, with padding” alone.";

/** What this page measured, to stand beside the paper; fractions, null where it was not measured. */
export interface OwnFigures {
  readonly comparison: Comparison | null;
  readonly compressions: readonly CompressionReport[];
  readonly bench: BenchReport | null;
}

/** The paper's numbers with ours beside them where the page has any; ours are of this page's models, not of the paper's. */
export function paperTable(own: OwnFigures): TextTable {
  return {
    head: [
      "experiment",
      "what",
      "stack",
      "paper",
      "ours",
      `ours, ${definitionLabel(HEADLINE_DEFINITION)}`,
      "measured on",
    ],
    align: ["left", "left", "left", "right", "right", "right", "left"],
    rows: PAPER_FIGURES.map((figure) => {
      const ours = ownFigure(figure, own);
      const { what, where, stack, value, note } = figure;
      return [
        where,
        what,
        stack ?? "",
        percent(value, 2),
        percent(ours?.value ?? Number.NaN, 2),
        percent(ours?.headline ?? Number.NaN, 2),
        [...(ours === null ? [] : [ours.on]), ...(note === undefined ? [] : [note])].join("; "),
      ];
    }),
  };
}

function ownFigure({ what, where, stack }: PaperFigure, { comparison, compressions, bench }: OwnFigures) {
  if (what === "runtime change" || what === "memory change") {
    const benched = benchedScores(compressions, bench).filter(
      ({ name, row }) => name !== "dense" && row.precision === "fp32",
    );
    const smallest = benched.toSorted((a, b) => a.row.batch - b.row.batch || a.latencyRatio - b.latencyRatio)[0];
    if (smallest !== undefined) {
      const ratio = what === "runtime change" ? smallest.latencyRatio : smallest.memoryRatio;
      const measure = what === "runtime change" ? "p50" : "peak memory of the process";
      return finite(ratio - 1, `${smallest.name}, ${measure}, batch ${smallest.row.batch}`);
    }
    const [first] = compressions;
    if (first === undefined) return null;
    const { before, after, chosen } = first.record;
    return what === "runtime change"
      ? finite(Number(chosen.latency ?? Number.NaN) - 1, `${first.name}, timed in the search`)
      : finite(after.parameters / before.parameters - 1, `${first.name}, float32 weights`);
  }
  if (comparison === null || stack === null) return null;
  const { rows, task } = comparison;
  const on = `${[...new Set(rows.map(({ method }) => method))].join(", ")}: ${task}`;
  const side = where.endsWith("PEFT") ? "peft" : "deft";
  const by = (definition: string) =>
    mean(
      rows.map((row) => {
        if (what === "density change") return row.densityChanges[definition]?.[stack] ?? Number.NaN;
        const density = row[side].density[stack];
        return density === undefined ? Number.NaN : densityBy(density, definition);
      }),
    );
  return finite(by("paper"), on, by(HEADLINE_DEFINITION));
}

function finite(value: number, on: string, headline = Number.NaN) {
  return Number.isFinite(value) ? { value, on, headline } : null;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
