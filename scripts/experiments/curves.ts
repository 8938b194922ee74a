// Score against the share of MLP neurons kept, plain PEFT against DEFT with the same removal and steps, three seeds; then
// the final recipe on three tasks, in float32 and int8.
//   npx tsx scripts/experiments/curves.ts --model MINILM --data GLUE-FOLDER --output OUT [--only REGEX] [--table]
// Resumable: what OUT holds is not run again. --table only reads what is there; --page docs/explanation/static-cuts.md puts the tables there.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Compression } from "../../src/runs/index.ts";
import { type CurveTask, statedExamples, writeCurveData } from "./curves-data.ts";
import { type AskedText, onnxLogits } from "./curves-onnx.ts";
import {
  budgetPoints,
  compressFlags,
  curvePoints,
  finalPoints,
  nameOf,
  type Point,
  referenceOf,
  runOf,
  TASKS,
  trainFlags,
} from "./curves-plans.ts";
import { type Answered, curvesReport, curvesTables } from "./curves-table.ts";
import { fresh, isFinished, keepJson, deft as runDeft } from "./deft-process.ts";
import { intoPage } from "./markdown.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: ".cache/minilm/model" },
    data: { type: "string", default: "" },
    output: { type: "string" },
    only: { type: "string", default: "" },
    variants: { type: "string", default: "plain,neurons,activations,ada,auto" },
    table: { type: "boolean", default: false },
    page: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    deft: { type: "string", default: "node --import tsx src/cli/main.ts" },
  },
});
if (values.output === undefined) throw new Error("--output: expected a folder, got nothing");
const out = resolve(values.output);
const deft = (...args: string[]) => runDeft(values.deft, [...args, "--threads", values.threads]);

const dataOf = ({ task }: Point) => join(out, "data", task);
const statedOf = (task: CurveTask) => statedExamples(join(out, "data", task), task, TASKS[task].sizes);
const runFolder = (point: Point) => join(out, "runs", nameOf(point));
const smallFolder = (point: Point) => join(out, "small", nameOf(point));
const answersFile = (point: Point, precision: "fp32" | "int8") =>
  join(out, "answers", `${nameOf(point)}-${precision}.json`);

function train(run: Point): string {
  const folder = runFolder(run);
  if (isFinished(folder)) return folder;
  const reference = referenceOf(run);
  const beside = reference === null ? [] : ["--reference", train(reference)];
  deft(
    "train",
    "--model",
    values.model,
    "--data",
    dataOf(run),
    ...trainFlags(run),
    ...beside,
    "--output",
    fresh(folder),
  );
  return folder;
}

/** The folder that answers: a run, or the model compressed from it. */
function made(point: Point): string {
  const run = train(runOf(point));
  if (point.removal === "none") return run;
  const folder = smallFolder(point);
  // the score is stated from the answers below, so only a search needs many examples
  const scoring = point.removal === "budget" ? [] : ["--limit-eval", "100"];
  if (!existsSync(join(folder, "compression.json")))
    deft("compress", run, ...compressFlags(point), ...scoring, "--output", fresh(folder));
  return folder;
}

/** Predictions for the stated examples, as numbers: a class's index, or a score. */
async function answer(point: Point, precision: "fp32" | "int8"): Promise<void> {
  const file = answersFile(point, precision);
  if (existsSync(file)) return;
  const folder = made(point);
  const { texts } = statedOf(point.task);
  // texts of one length together: batches are padded to their longest
  const order = texts.map((_, i) => i).sort((a, b) => lengthOf(texts[a]!) - lengthOf(texts[b]!) || a - b);
  const sorted = order.map((i) => texts[i]!);
  const logits = precision === "fp32" ? predicted(folder, point, sorted) : await quantised(folder, point, sorted);
  const answers = texts.map(() => Number.NaN);
  logits.forEach((row, at) => {
    answers[order[at]!] = row.length === 1 ? row[0]! : row.indexOf(Math.max(...row));
  });
  keepJson(file, answers);
}

const lengthOf = ({ text, pair = "" }: AskedText) => text.length + pair.length;

function predicted(folder: string, point: Point, texts: readonly AskedText[]): number[][] {
  const input = join(dataOf(point), "stated", "texts.jsonl");
  writeFileSync(input, texts.map((text) => `${JSON.stringify(text)}\n`).join(""));
  const lines = deft("predict", folder, "--input", input).trim().split("\n");
  return lines.map((line) => {
    const { logits, score } = JSON.parse(line) as { logits?: number[]; score: number };
    return logits ?? [score];
  });
}

async function quantised(folder: string, point: Point, texts: readonly AskedText[]): Promise<number[][]> {
  const onnx = join(out, "onnx", nameOf(point));
  if (!existsSync(join(onnx, "onnx", "model_quantized.onnx")))
    runDeft(values.deft, ["export", folder, "--format", "onnx", "--precision", "fp32,int8", "--output", fresh(onnx)]);
  return onnxLogits(onnx, "q8", texts, Number(values.threads));
}

/** Every point once, those of the final recipe also in int8. */
function wanted(): { point: Point; precision: "fp32" | "int8" }[] {
  const final = finalPoints();
  const all = [
    ...[...curvePoints(values.variants.split(",")), ...final, ...budgetPoints()].map((point) => ({
      point,
      precision: "fp32" as const,
    })),
    ...final
      .filter(({ removal, share }) => removal !== "none" && share < 1)
      .map((point) => ({ point, precision: "int8" as const })),
  ];
  const names = new Set<string>();
  return all.filter(({ point, precision }) => {
    const name = `${nameOf(point)}-${precision}`;
    return new RegExp(values.only).test(name) && !names.has(name) && names.add(name) !== undefined;
  });
}

const total = (layers: Compression["layers"], key: "kept" | "of") => layers.reduce((sum, of) => sum + of[key], 0);

const points = wanted();
if (!values.table) {
  for (const task of new Set(points.map(({ point }) => point.task)))
    if (!existsSync(join(out, "data", task, "stated", "dev.tsv")))
      await writeCurveData(values.data, join(out, "data", task), task, TASKS[task].sizes);
  for (const { point, precision } of points) {
    const started = Date.now();
    await answer(point, precision);
    process.stderr.write(`${nameOf(point)} ${precision}: ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
  }
}
const answered = points
  .filter(({ point, precision }) => existsSync(answersFile(point, precision)))
  .map(({ point, precision }): Answered => {
    const file = join(smallFolder(point), "compression.json");
    const sizes = existsSync(file)
      ? (JSON.parse(readFileSync(file, "utf8")) as Pick<Compression, "before" | "after" | "layers">)
      : null;
    return {
      ...point,
      precision,
      answers: JSON.parse(readFileSync(answersFile(point, precision), "utf8")) as number[],
      parameterShare: sizes === null ? 1 : sizes.after.parameters / sizes.before.parameters,
      kept: sizes === null ? point.share : total(sizes.layers, "kept") / total(sizes.layers, "of"),
    };
  });
const report = curvesReport(answered, statedOf);
writeFileSync(join(out, "curves.json"), `${JSON.stringify(report, null, 2)}\n`);
console.log(curvesTables(report));
if (values.page !== "") intoPage(values.page, curvesTables(report));
