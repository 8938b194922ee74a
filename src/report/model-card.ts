// The model card: `README.md` of a run, with the front matter the Hugging Face hub reads.

import { stringify } from "yaml";
import { densityBy, headlineDefinition } from "../density/index.ts";
import { comparisonRow } from "../jobs/index.ts";
import type { RunRecord } from "../runs/index.ts";
import { methodName, settingsInput, settingText, trainCommand } from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import { entryOf } from "../tensor/index.ts";
import { hubFacts, usage } from "./card-usage.ts";
import { definitionLabel, metricLabel, percent, score, scoreChange } from "./format.ts";
import { shellLine } from "./page/page.ts";
import type { TextTable } from "./tables/table.ts";
import { comparisonTable, evaluationFacts, layersTable } from "./tables/tables.ts";

/** What a card may say beyond the record. */
export interface CardOptions {
  /** The same run without the density loss, to compare with. */
  readonly baseline?: Evaluation;
  /** SPDX id of the trained part's licence, as the base model and data allow. */
  readonly license?: string;
  /** A figure beside the card, as a relative path. */
  readonly figure?: string;
}

/** The record with this machine's folders left out of its paths: a card is published. */
function withoutLocalPaths(record: RunRecord): RunRecord {
  const { settings } = record;
  const { density, distillation } = settings;
  return {
    ...record,
    settings: {
      ...settings,
      model: publicPath(settings.model),
      data: { ...settings.data, path: publicPath(settings.data.path) },
      output: settings.output === null ? null : publicPath(settings.output),
      density: {
        ...density,
        auto: density.auto && {
          ...density.auto,
          reference: density.auto.reference && publicPath(density.auto.reference),
        },
      },
      ...(distillation ? { distillation: { ...distillation, teacher: publicPath(distillation.teacher) } } : {}),
    },
  };
}

/** A path as it is, or of one that begins at this machine's root or home its last part. */
function publicPath(path: string): string {
  if (!/^(\/|~|[A-Za-z]:[\\/]|\\\\)/.test(path)) return path;
  return `./${path.split(/[\\/]+/).findLast((part) => part !== "") ?? ""}`;
}

/** Text in Markdown that is never taken for HTML. */
function plain(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The card as Markdown, without paths of this machine, and without HTML whatever classes and columns are called. */
export function modelCard(run: RunRecord, options: CardOptions = {}): string {
  const record = withoutLocalPaths(run);
  return `---\n${stringify(frontMatter(record, options), { lineWidth: 0 })}---\n\n${body(record, options)}`;
}

const GLUE_NAMES: Readonly<Record<string, string>> = {
  cola: "CoLA",
  mnli: "MNLI",
  mrpc: "MRPC",
  qnli: "QNLI",
  qqp: "QQP",
  rte: "RTE",
  sst2: "SST-2",
  stsb: "STS-B",
  wnli: "WNLI",
};

function isLocal(model: string): boolean {
  return /^[./~]|^[A-Za-z]:[\\/]/.test(model) || model.split("/").length > 2;
}

/** Metric ids of the hub, where they differ from ours. */
const HUB_METRICS: Readonly<Record<string, string>> = {
  pearson: "pearsonr",
  f1_micro: "f1",
  f1_macro: "f1",
  rouge1: "rouge",
  rouge2: "rouge",
  rougeL: "rouge",
};

function frontMatter(record: RunRecord, { license }: CardOptions): Record<string, unknown> {
  const { settings, result } = record;
  const glue = entryOf(GLUE_NAMES, settings.task);
  const { pipelineTag, title, libraryName } = hubFacts(record);
  const method = methodName(settings);
  const isWhole = method === "full" || method === "head";
  const task = { type: pipelineTag, name: title };
  const metrics = Object.entries(result?.metrics ?? {}).map(([type, value]) => ({
    type,
    value: round(value),
    name: metricLabel(type),
  }));
  return {
    ...(isLocal(settings.model)
      ? {}
      : { base_model: settings.model, base_model_relation: isWhole ? "finetune" : "adapter" }),
    library_name: libraryName,
    pipeline_tag: pipelineTag,
    ...(license === undefined ? {} : { license }),
    ...(glue === undefined ? {} : { datasets: ["nyu-mll/glue"], language: ["en"] }),
    metrics: [...new Set(Object.keys(result?.metrics ?? {}).map((metric) => entryOf(HUB_METRICS, metric) ?? metric))],
    tags: [
      method,
      "deft-tune",
      "activation-sparsity",
      ...(libraryName === "peft" && !isLocal(settings.model) ? [`base_model:adapter:${settings.model}`] : []),
    ],
    ...(glue === undefined || result === null
      ? {}
      : {
          "model-index": [
            {
              name: settings.output?.split("/").at(-1) ?? `${method}-${settings.task}`,
              results: [
                {
                  task,
                  dataset: { name: `GLUE ${glue}`, type: "nyu-mll/glue", config: settings.task, split: "validation" },
                  metrics,
                },
              ],
            },
          ],
        }),
  };
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function body(record: RunRecord, { baseline, figure }: CardOptions): string {
  const { settings, result } = record;
  const name = settings.model.replace(/\/+$/, "").split("/").at(-1) ?? settings.model;
  const weight = settings.density.weight;
  const method = METHOD_NAMES[methodName(settings)] ?? methodName(settings);
  const task = entryOf(GLUE_NAMES, settings.task) ?? settings.task;
  const parts = [
    `# ${plain(name)}, ${plain(task)}, ${method}${weight === 0 ? "" : " + density loss"}`,
    `\`${settings.model.replaceAll("`", "'")}\` fine-tuned with ${method} on ${task}` +
      (weight === 0
        ? ", without a density loss."
        : `, with a loss of weight ${weight} on the density of its MLP activations ([arXiv 2402.01911](https://arxiv.org/abs/2402.01911)), so that fewer of them are active.`),
    ...(result === null
      ? ["The run has not ended: no results yet."]
      : [
          "## Results",
          markdownTable({ head: ["", "value"], rows: evaluationFacts(result) }),
          ...densityParts(record, result, baseline, figure),
        ]),
    "## How it was trained",
    markdownTable({
      head: ["setting", "value"],
      align: ["left", "left"],
      rows: Object.entries(settingsInput(settings))
        .filter(([key]) => !["resume", "output"].includes(key))
        .map(([key, value]) => [key, settingText(value)]),
    }),
    "Reproduce:",
    `\`\`\`sh\n${shellLine(trainCommand(settings))}\n\`\`\``,
    "## Use",
    usage(record),
    "## Environment",
    Object.entries(record.versions)
      .map(([what, version]) => `- ${what} ${version}`)
      .join("\n"),
    "## Limits",
    "Measured on one evaluation split with one seed; densities and scores of other data differ. Fewer active neurons make inference faster only after " +
      "the model is compressed for it: an ordinary dense matrix product takes the same time. The biases of the base model and of the data are inherited.",
  ];
  return `${parts.join("\n\n")}\n`;
}

const METHOD_NAMES: Readonly<Record<string, string>> = {
  lora: "LoRA",
  qlora: "QLoRA",
  ia3: "IA³",
  adapter: "Adapter",
  prompt: "prompt tuning",
  prefix: "prefix tuning",
  head: "head only",
  full: "full fine-tuning",
};

function densityParts(
  { metricName, settings, before }: RunRecord,
  result: Evaluation,
  baseline: Evaluation | undefined,
  figure: string | undefined,
): string[] {
  const reference = baseline ?? before;
  const definition = headlineDefinition(result.density, ...(reference === undefined ? [] : [reference.density]));
  const headline = (of: Evaluation) => percent(densityBy(of.density.encoder, definition));
  const parts = ["## Density of MLP activations"];
  if (baseline !== undefined) {
    const row = comparisonRow(
      { method: settings.method.kind, seed: settings.seed, peft: baseline, deft: result },
      metricName,
    );
    parts.push(
      `Against the same run without the density loss: density (${definitionLabel(definition)}) ${headline(baseline)} → ${headline(result)}, ` +
        `${metricLabel(metricName)} ${score(metricName, baseline.metrics[metricName] ?? Number.NaN)} → ${score(metricName, result.metrics[metricName] ?? Number.NaN)} ` +
        `(${scoreChange(metricName, row.scoreChange)}).`,
      markdownTable(comparisonTable({ task: settings.task, metricName, rows: [row] })),
    );
  } else if (reference !== undefined) {
    parts.push(`Before training ${headline(reference)}, after ${headline(result)} (${definitionLabel(definition)}).`);
  }
  if (figure !== undefined) parts.push(`![Density per layer](${figure})`);
  parts.push(
    markdownTable(layersTable(result.density)),
    "Shares of activations over attended tokens; “with padding” over all positions, as the paper counts. Dead: never above 0.01.",
  );
  return parts;
}

/** A table in GitHub's Markdown. */
export function markdownTable({ head, rows, align = [] }: TextTable): string {
  const cell = (text: string) =>
    plain(text)
      .replaceAll("|", "\\|")
      .replaceAll(/[\r\n]+/g, " ");
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  const rule = head.map((_, column) =>
    (align[column] ?? (column === 0 ? "left" : "right")) === "right" ? "--:" : ":--",
  );
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}
