// `deft profile`: the density instrument, as a table, JSON and a page.
import { count, layersTable, profileHtml, profileJson, renderTable } from "../../report/index.ts";
import type { Body } from "../command.ts";
import { readTarget } from "../target.ts";
import { openFiles, openWorkflow, warned } from "../workflow.ts";

export const run: Body = async ({ args, flags: { output, ...flags }, terminal, json }) => {
  const files = await openFiles();
  const [name] = args;
  // a word that is no run's folder is a model: an id on the hub or a model's folder
  const has = async (file: string) => (await files.stat(`${name}/${file}`)) !== null;
  const isRun = name !== undefined && ((await has("run.json")) || (await has("compression.json")));
  const named = name === undefined || isRun ? { args, flags } : { args: [], flags: { ...flags, model: name } };
  const { target, overrides } = readTarget(named);
  const profile = await (await openWorkflow(terminal)).profile(target, overrides, warned(terminal));
  if (typeof output === "string") await files.write(output, profileHtml(profile));
  if (json) terminal.print(JSON.stringify(profileJson(profile)));
  else {
    const bold = (text: string) => terminal.style("bold", text, "out");
    terminal.print(renderTable(layersTable(profile.density), bold).join("\n"));
    terminal.note(`\n${profile.model}: ${count(profile.tokens)} tokens of ${count(profile.examples)} examples`);
    if (typeof output === "string") terminal.note(`Page: ${output}`);
  }
  return 0;
};
