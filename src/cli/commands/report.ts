// `deft report`: one page of one or more runs.
import {
  comparisonSentences,
  evaluationJson,
  pairRuns,
  renderTable,
  reportHtml,
  runsTable,
  toJson,
} from "../../report/index.ts";
import { joinPath } from "../../tensor/index.ts";
import { readRun, type StoredRun } from "../../workflow/index.ts";
import type { Body } from "../command.ts";
import { openFiles } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal, json }) => {
  const files = await openFiles();
  const runs: StoredRun[] = [];
  for (const folder of args) runs.push(await readRun(files, folder));
  const [first] = runs;
  const output =
    typeof flags.output === "string"
      ? flags.output
      : joinPath(runs.length === 1 ? (first?.folder ?? "") : "", "report.html");
  const comparison = runs.length > 1 ? pairRuns(runs.map((of) => of.record)) : null;
  const title = runs.length === 1 && first !== undefined ? first.name : `${runs.length} runs`;
  await files.write(output, reportHtml({ title, runs, comparison, command: "deft report" }));
  if (json)
    terminal.print(
      JSON.stringify(
        toJson({
          report: output,
          runs: runs.map(({ name, record: { result } }) => ({ name, result: result && evaluationJson(result) })),
        }),
      ),
    );
  else {
    const named = runs.map(({ name, record }) => ({ name, result: record.result }));
    const table = renderTable(runsTable(named), (text) => terminal.style("bold", text, "out"));
    terminal.print(
      [...table, ...(comparison === null ? [] : ["", ...comparisonSentences(comparison)]), "", output].join("\n"),
    );
  }
  return 0;
};
