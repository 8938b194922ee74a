// `deft compare`: PEFT against DEFT for each method and seed, one table.
import type { Comparison } from "../../jobs/index.ts";
import {
  comparisonJson,
  comparisonSentences,
  comparisonTable,
  type RunReport,
  renderTable,
  reportHtml,
} from "../../report/index.ts";
import { checkFree } from "../../runs/index.ts";
import { type ComparisonCell, resolveComparison } from "../../settings/index.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import type { Body } from "../command.ts";
import { comparisonDisplay } from "../comparison-display.ts";
import { INTERRUPTED, interruptible } from "../interrupt.ts";
import { writeRunOutputs } from "../run-outputs.ts";
import { settingsSources } from "../settings-source.ts";
import { openFiles, openWorkflow } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal, json }) => {
  const files = await openFiles();
  const cells = resolveComparison(await settingsSources(files, args[0], flags));
  if (flags.resume !== true) for (const folder of foldersOf(cells)) await checkFree(files, folder);
  const workflow = await openWorkflow(terminal);
  const interrupt = interruptible(terminal);
  try {
    const running = workflow.compare(cells, { signal: interrupt.signal });
    const show = comparisonDisplay(terminal);
    for await (const event of running) {
      if (event.type === "run" && event.event.type === "start") interrupt.saves(true);
      show(event);
    }
    const comparison = await running.result;
    const { output } = flags;
    if (typeof output === "string") await writeComparison(files, output, cells, comparison);
    if (json) terminal.print(JSON.stringify(comparisonJson(comparison)));
    else {
      const table = renderTable(comparisonTable(comparison), (text) => terminal.style("bold", text, "out"));
      terminal.print([...table, "", ...comparisonSentences(comparison)].join("\n"));
      if (typeof output === "string") terminal.note(`\nNext: open ${output}/report.html`);
    }
    if (comparison.rows.length === cells.length) return 0;
    if (typeof output === "string") terminal.warn("Saved. To go on, give the same command with --resume.");
    return INTERRUPTED;
  } finally {
    interrupt.saves(false);
  }
};

function foldersOf(cells: readonly ComparisonCell[]): string[] {
  return cells.flatMap(({ peft, deft }) => [peft.output, deft.output]).filter((folder) => folder !== null);
}

async function writeComparison(
  files: Files,
  output: string,
  cells: readonly ComparisonCell[],
  comparison: Comparison,
): Promise<void> {
  const runs: RunReport[] = [];
  for (const { method, seed, peft, deft } of cells) {
    const row = comparison.rows.find((of) => of.method === method && of.seed === seed);
    if (row === undefined || peft.output === null || deft.output === null) continue;
    runs.push(await writeRunOutputs(files, peft.output));
    runs.push(await writeRunOutputs(files, deft.output, { baseline: row.peft }));
  }
  const title = `PEFT against DEFT: ${comparison.task}`;
  await files.write(joinPath(output, "comparison.json"), `${JSON.stringify(comparisonJson(comparison), null, 2)}\n`);
  await files.write(
    joinPath(output, "report.html"),
    reportHtml({ title, runs, comparisons: [comparison], command: "deft compare" }),
  );
}
