// The tables of results, once: the terminal aligns them, the page marks them up.
import {
  type Density,
  densityBy,
  densityDefinitions,
  headlineDefinition,
  NEAR_ZERO_DEFINITION,
} from "../../density/index.ts";
import type { Comparison, ComparisonRow, ScoreInterval } from "../../jobs/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import {
  count,
  decimal,
  definitionLabel,
  isShare,
  metricLabel,
  metricWord,
  percent,
  points,
  score,
  scoreChange,
  signedPercent,
  significant,
} from "../format.ts";
import type { TextTable } from "./table.ts";

/** Score and density of each method and seed, without and with the density loss; means when there are seeds. */
export function comparisonTable({ rows, metricName }: Comparison): TextTable {
  const metric = metricLabel(metricName);
  const methods = [...new Set(rows.map((row) => row.method))];
  const stacks = comparedStacks(rows);
  const named = (stack: ComparedStack) => (stacks.length === 1 ? "density" : `${stack} density`);
  return {
    head: [
      "method",
      "seed",
      `${metric} PEFT`,
      "DEFT",
      "change",
      ...stacks.flatMap((stack) => [`${named(stack)} PEFT`, "DEFT", "removed"]),
    ],
    align: ["left", "left"],
    rows: methods.flatMap((method) => {
      const own = rows.filter((row) => row.method === method);
      const each = own.map((row) => comparisonCells([method, String(row.seed)], [row], metricName, stacks));
      return own.length > 1 ? [...each, comparisonCells([method, "mean"], own, metricName, stacks)] : each;
    }),
  };
}

/** The stacks whose density is compared. */
type ComparedStack = "encoder" | "decoder";

/** The encoder, and the decoder of models that write. */
function comparedStacks(rows: readonly ComparisonRow[]): readonly ComparedStack[] {
  return rows.some(({ peft }) => peft.density.decoder !== undefined) ? ["encoder", "decoder"] : ["encoder"];
}

/** The definition by which the rows of a comparison state density. */
export function comparedDefinition(rows: readonly Pick<ComparisonRow, "peft" | "deft">[]): string {
  return headlineDefinition(...rows.flatMap(({ peft, deft }) => [peft.density, deft.density]));
}

/** Both definitions that people read, the headline first. */
function headlinedDefinitions(density: Evaluation["density"]): readonly string[] {
  return headlineDefinition(density) === "exact" ? ["exact", NEAR_ZERO_DEFINITION] : [NEAR_ZERO_DEFINITION, "exact"];
}

/** The density of a stack; NaN where an evaluation has none. */
function densityOfStack({ density }: Evaluation, stack: ComparedStack, definition: string): number {
  const of = density[stack];
  return of === undefined ? Number.NaN : densityBy(of, definition);
}

function comparisonCells(
  [method, seed]: readonly [string, string],
  rows: readonly ComparisonRow[],
  metric: string,
  stacks: readonly ComparedStack[],
): string[] {
  const of = (value: (row: ComparisonRow) => number) => mean(rows.map(value));
  return [
    method,
    seed,
    score(
      metric,
      of((row) => row.peft.metrics[metric] ?? Number.NaN),
    ),
    score(
      metric,
      of((row) => row.deft.metrics[metric] ?? Number.NaN),
    ),
    scoreChange(
      metric,
      of((row) => row.scoreChange),
    ),
    ...stacks.flatMap((stack) => [
      percent(of((row) => densityOfStack(row.peft, stack, comparedDefinition([row])))),
      percent(of((row) => densityOfStack(row.deft, stack, comparedDefinition([row])))),
      percent(of((row) => row.densityChange[stack] ?? Number.NaN)),
    ]),
  ];
}

/** Every definition of density for each method, means over seeds. */
export function definitionsTable({ rows }: Comparison): TextTable {
  const methods = [...new Set(rows.map((row) => row.method))];
  const definitions = rows[0] === undefined ? [] : densityDefinitions(rows[0].peft.density.encoder);
  const stacks = comparedStacks(rows);
  return {
    head: ["definition", ...methods.flatMap((method) => [`${method} PEFT`, "DEFT", "removed"])],
    rows: stacks.flatMap((stack) =>
      definitions.map((definition) => [
        stacks.length === 1 ? definitionLabel(definition) : `${stack}: ${definitionLabel(definition)}`,
        ...methods.flatMap((method) => {
          const own = rows.filter((row) => row.method === method);
          return [
            percent(mean(own.map((row) => densityOfStack(row.peft, stack, definition)))),
            percent(mean(own.map((row) => densityOfStack(row.deft, stack, definition)))),
            percent(mean(own.map((row) => row.densityChanges[definition]?.[stack] ?? Number.NaN))),
          ];
        }),
      ]),
    ),
  };
}

/** Density of each layer and of the whole stack, by every definition. */
export function layersTable({ layers, encoder, decoder, generation }: Evaluation["density"]): TextTable {
  const definitions = densityDefinitions(encoder);
  const several = decoder !== undefined || generation !== undefined;
  const cells = (name: string, density: Density) => [
    name,
    ...definitions.map((definition) => percent(densityBy(density, definition))),
    count(density.deadNeurons),
    count(density.rareNeurons),
    count(density.neurons),
  ];
  const stacks = { encoder, decoder, generation };
  return {
    head: ["layer", ...definitions.map(definitionLabel), "dead", "rare", "neurons"],
    rows: [
      ...layers.map((layer) => cells(several ? `${layer.stack} ${layer.layer}` : String(layer.layer), layer)),
      ...Object.entries(stacks).flatMap(([stack, density]) =>
        density === undefined ? [] : [cells(several ? `${stack}, all` : "all", density)],
      ),
    ],
  };
}

/** The facts of one evaluation as pairs of a name and a value. */
export function evaluationFacts(evaluation: Evaluation): [name: string, value: string][] {
  const { encoder } = evaluation.density;
  return [
    ...Object.entries(evaluation.metrics).map(([name, value]): [string, string] => [
      metricLabel(name),
      score(name, value),
    ]),
    ...headlinedDefinitions(evaluation.density).map((definition): [string, string] => [
      `Density, ${definitionLabel(definition)}`,
      percent(densityBy(encoder, definition)),
    ]),
    ["Dead neurons", `${count(encoder.deadNeurons)} of ${count(encoder.neurons)}`],
    ["Examples", `${count(evaluation.examples)} (${evaluation.split})`],
  ];
}

/** Each evaluation of a run, the one that was kept marked. */
export function evaluationsTable(
  evaluations: readonly (Pick<Evaluation, "loss" | "metrics" | "density"> & {
    readonly step: number;
    readonly epoch: number;
  })[],
  keptStep: number | null,
): TextTable {
  const metrics = [...new Set(evaluations.flatMap((of) => Object.keys(of.metrics)))];
  const definitions = ["exact", NEAR_ZERO_DEFINITION];
  return {
    head: [
      "step",
      "epoch",
      ...metrics.map(metricLabel),
      "loss",
      ...definitions.map((d) => `density ${definitionLabel(d)}`),
      "parameters",
    ],
    align: ["right", ...metrics.map(() => "right" as const), "right", "right", "right", "right", "left"],
    rows: evaluations.map(({ step, epoch, loss, metrics: values, density }) => [
      count(step),
      decimal(epoch),
      ...metrics.map((metric) => score(metric, values[metric] ?? Number.NaN)),
      significant(loss),
      ...definitions.map((d) => percent(densityBy(density.encoder, d))),
      step === keptStep ? "kept" : "",
    ]),
  };
}

/** One line a run: score and density side by side, and at which step it was evaluated where that is known. */
export function runsTable(
  runs: readonly { readonly name: string; readonly result: Evaluation | null; readonly keptStep?: number | null }[],
): TextTable {
  const hasSteps = runs.some(({ keptStep = null }) => keptStep !== null);
  const metrics = [...new Set(runs.flatMap(({ result }) => Object.keys(result?.metrics ?? {})))];
  const definitions = ["exact", NEAR_ZERO_DEFINITION];
  return {
    head: [
      "run",
      ...metrics.map(metricLabel),
      ...definitions.map((d) => `density ${definitionLabel(d)}`),
      "dead neurons",
      ...(hasSteps ? ["step kept"] : []),
    ],
    rows: runs.map(({ name, result, keptStep = null }) => [
      name,
      ...metrics.map((metric) => (result === null ? "–" : score(metric, result.metrics[metric] ?? Number.NaN))),
      ...definitions.map((d) => (result === null ? "–" : percent(densityBy(result.density.encoder, d)))),
      result === null ? "–" : count(result.density.encoder.deadNeurons),
      ...(hasSteps ? [keptStep === null ? "–" : count(keptStep)] : []),
    ]),
  };
}

/** What a comparison comes down to, a sentence a method. */
export function comparisonSentences({ rows, metricName, intervals = [] }: Comparison): string[] {
  const methods = [...new Set(rows.map((row) => row.method))];
  return methods.map((method) => {
    const own = rows.filter((row) => row.method === method);
    const changes = comparedStacks(own).map((stack) => {
      const change = signedPercent(-mean(own.map((row) => row.densityChange[stack] ?? Number.NaN)));
      return stack === "encoder" ? change : `${change} in the ${stack}`;
    });
    const changed = changes.length === 1 ? changes[0] : `${changes[0]} in the encoder, ${changes[1]}`;
    const change = scoreChange(metricName, mean(own.map((row) => row.scoreChange)));
    const unit = isShare(metricName) ? " points" : "";
    const over = own.length > 1 ? ` (mean of ${own.length} seeds)` : "";
    const interval = intervals.find((of) => of.method === method);
    return (
      `With ${method}, the density loss changed density (${definitionLabel(comparedDefinition(own))}) by ${changed} ` +
      `and ${metricWord(metricName)} by ${change}${unit}${over}.${interval === undefined ? "" : ` ${intervalSentence(interval)}`}`
    );
  });
}

function intervalSentence({ difference, low, high, confidence, examples }: ScoreInterval): string {
  return (
    `Over the same ${count(examples)} examples the share of right answers changed by ${points(difference)} points; ` +
    `drawing other examples, ${percent(confidence, 0)} of the time by ${points(low)} to ${points(high)}.`
  );
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}
