// `deft eval`: score and density of a run, or of a model with an adapter.
import { evaluationFacts, evaluationJson, layersTable, renderTable } from "../../report/index.ts";
import type { Body } from "../command.ts";
import { readTarget } from "../target.ts";
import { openWorkflow, warned } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { target, overrides } = readTarget({ args, flags });
  const evaluation = await (await openWorkflow(terminal)).evaluate(target, overrides, warned(terminal));
  for (const note of evaluation.notes ?? []) terminal.warn(note);
  if (json) terminal.print(JSON.stringify(evaluationJson(evaluation)));
  else {
    const bold = (text: string) => terminal.style("bold", text, "out");
    const facts = renderTable(
      { head: [`${evaluation.task}, ${evaluation.split}`, ""], rows: evaluationFacts(evaluation) },
      bold,
    );
    terminal.print([...facts, "", ...renderTable(layersTable(evaluation.density), bold)].join("\n"));
  }
  return 0;
};
