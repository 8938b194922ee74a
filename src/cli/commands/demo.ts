// `deft demo`: the main job on what ships with the package, off line: without and with the density loss, then compressed.
import { compressOptions, type DemoResult } from "../../jobs/index.ts";
import {
  comparisonJson,
  comparisonSentences,
  comparisonTable,
  compressionNotes,
  compressionTable,
  duration,
  renderTable,
  reportHtml,
  toJson,
} from "../../report/index.ts";
import { type Compression, readOutcomes } from "../../runs/index.ts";
import { resolvePartial } from "../../settings/index.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import type { Body } from "../command.ts";
import { comparisonDisplay } from "../comparison-display.ts";
import { compressionDisplay } from "../compression-display.ts";
import type { Terminal } from "../terminal.ts";
import { openFiles, openWorkflow } from "../workflow.ts";

/** Points of score that the smaller model may cost. */
const BUDGET = 1;

export const run: Body = async ({ flags, terminal, json }) => {
  const { output = "runs/demo", seed, threads } = resolvePartial({ flags });
  const files = await openFiles();
  const workflow = await openWorkflow(terminal);
  const started = performance.now();
  const running = workflow.demo({
    output,
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
  });
  const show = comparisonDisplay(terminal);
  for await (const event of running) show(event);
  const result = await running.result;
  const page = joinPath(output, "report.html");
  const small = joinPath(output, "small");
  await files.remove(small);
  const squeezing = workflow.compress(
    { kind: "run", folder: result.runs.at(-1)!.record.settings.output! },
    compressOptions({ output: small, "score-budget": BUDGET }),
    threads === undefined ? {} : { threads },
  );
  const follow = compressionDisplay(terminal);
  for await (const event of squeezing) follow(event);
  const compression = await squeezing.result;
  await files.write(page, await demoPage(files, result, compression));
  if (json) {
    const comparison = comparisonJson(result.comparison) as object;
    terminal.print(JSON.stringify({ ...comparison, compression: toJson(compression) }));
  } else printDemo(terminal, result, compression, { page, ms: performance.now() - started });
  return 0;
};

async function demoPage(
  files: Files,
  { comparison, model, data, runs }: DemoResult,
  compression: Compression,
): Promise<string> {
  const answered = await Promise.all(
    runs.map(async (of) => ({ ...of, outcomes: await readOutcomes(files, of.record.settings.output!) })),
  );
  return reportHtml({
    title: "deft demo",
    lead: [model, data],
    runs: answered,
    comparisons: [comparison],
    compressions: [{ name: "small", record: compression, gates: null }],
    command: "deft demo",
  });
}

function printDemo(
  terminal: Terminal,
  { comparison, model, data }: DemoResult,
  compression: Compression,
  { page, ms }: { readonly page: string; readonly ms: number },
): void {
  const bold = (text: string) => terminal.style("bold", text, "out");
  const [compared, compressed] = [comparisonTable(comparison), compressionTable(compression)].map((of) =>
    renderTable(of, bold),
  );
  terminal.print([model, data, "", ...compared!, "", ...comparisonSentences(comparison)].join("\n"));
  const title = `The DEFT run, compressed at a budget of ${BUDGET} point:`;
  terminal.print(["", title, "", ...compressed!, "", ...compressionNotes(compression)].join("\n"));
  terminal.print(`Took ${duration(ms)}. Curves and layers: ${page}`);
  terminal.note("\nNext: your own data\n  deft train --help");
}
