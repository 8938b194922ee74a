// `deft report`: one page of one or more runs and of models compressed from them.
import { ConfigError } from "../../errors.ts";
import { parseJson } from "../../hub/index.ts";
import type { BenchReport } from "../../jobs/index.ts";
import {
  type Answers,
  answersOf,
  type CompressionReport,
  classesTable,
  comparisonSentences,
  compressionsTable,
  evaluationJson,
  majoritySentence,
  pairedComparisons,
  type RunReport,
  renderTable,
  reportHtml,
  runsTable,
  toJson,
} from "../../report/index.ts";
import { readCompression, readGates } from "../../runs/index.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import type { Body } from "../command.ts";
import { readRunReport } from "../run-outputs.ts";
import { openFiles } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal, json }) => {
  const files = await openFiles();
  const folders = args.flat();
  const runs: RunReport[] = [];
  const compressions: CompressionReport[] = [];
  for (const folder of folders) {
    const compression = await compressionOf(files, folder);
    if (compression === null) runs.push(await readRunReport(files, folder));
    else compressions.push(compression);
  }
  const bench = typeof flags.bench === "string" ? await readBench(files, flags.bench) : null;
  const [only] = folders;
  const output =
    typeof flags.output === "string" ? flags.output : joinPath(folders.length === 1 ? (only ?? "") : "", "report.html");
  const comparisons = runs.length > 1 ? pairedComparisons(runs.map((of) => of.record)) : [];
  const title = titleOf(runs, compressions);
  await files.write(output, reportHtml({ title, runs, comparisons, compressions, bench, command: "deft report" }));
  if (json)
    terminal.print(
      JSON.stringify(
        toJson({
          report: output,
          runs: runs.map(({ name, record: { result, labels }, outcomes }) => ({
            name,
            result: result && evaluationJson(result),
            ...classesJson(answersOf(outcomes, labels)),
          })),
          compressions: compressions.map(({ name, record, gates }) => ({ name, ...record, gates })),
        }),
      ),
    );
  else {
    const bold = (text: string) => terminal.style("bold", text, "out");
    const named = runs.map(({ name, record }) => ({ name, result: record.result }));
    const parts = [
      ...(runs.length === 0 ? [] : [renderTable(runsTable(named), bold)]),
      ...(compressions.length === 0 ? [] : [renderTable(compressionsTable(compressions), bold)]),
      ...comparisons.map(comparisonSentences),
      ...[classesLines(runs, bold)].filter((lines) => lines.length > 0),
      [output],
    ];
    terminal.print(parts.map((lines) => lines.join("\n")).join("\n\n"));
  }
  return 0;
};

/** What runs of classes answered: a warning for a majority-class answer, and of a single run the scores of each class. */
function classesLines(runs: readonly RunReport[], bold: (text: string) => string): string[] {
  return runs.flatMap(({ name, record, outcomes }) => {
    const answers = answersOf(outcomes, record.labels);
    if (answers?.kind !== "classes") return [];
    const majority = majoritySentence(answers);
    return [
      ...(majority === null ? [] : [`warning: ${runs.length > 1 ? `${name}: ` : ""}${majority}`]),
      ...(runs.length > 1 ? [] : renderTable(classesTable(answers), bold)),
    ];
  });
}

/** The confusion matrix, `confusion[label][answer]`, and the scores of each class. */
function classesJson(answers: Answers | null) {
  if (answers?.kind !== "classes") return {};
  const { labels, counts, report } = answers;
  return { labels, confusion: counts, classes: report };
}

function titleOf(runs: readonly RunReport[], compressions: readonly CompressionReport[]): string {
  const names = [...runs, ...compressions].map(({ name }) => name);
  if (names.length === 1) return names[0] ?? "";
  if (compressions.length === 0) return `${runs.length} runs`;
  const models = compressions.length === 1 ? (names.at(-1) ?? "") : `${compressions.length} compressed models`;
  return runs.length === 0 ? models : `${runs.length === 1 ? names[0] : `${runs.length} runs`} and ${models}`;
}

/** A compressed model's record with the gates of its source, where that still lies there; null for other folders. */
async function compressionOf(files: Files, folder: string): Promise<CompressionReport | null> {
  const record = await readCompression(files, folder);
  if (record === null) return null;
  const name = (await files.realPath(folder)).split(/[\\/]/).at(-1) ?? folder;
  const gates = await readGates(files, record.source);
  return { name, record, gates: gates?.map(({ gate }) => gate) ?? null };
}

/** What `deft bench --json` printed. */
async function readBench(files: Files, file: string): Promise<BenchReport> {
  const value = parseJson(file, await files.readText(file)) as Partial<BenchReport> | null;
  const isRow = (row: unknown) => typeof (row as { latencyMs?: { p50?: unknown } } | null)?.latencyMs?.p50 === "number";
  if (!Array.isArray(value?.rows) || !value.rows.every(isRow) || typeof value.texts?.count !== "number")
    throw new ConfigError([{ path: `--bench ${file}`, expected: "what deft bench --json printed", got: "other JSON" }]);
  return value as BenchReport;
}
