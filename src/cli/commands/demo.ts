// `deft demo`: the main job on what ships with the package, off line.
import {
  comparisonJson,
  comparisonSentences,
  comparisonTable,
  duration,
  renderTable,
  reportHtml,
} from "../../report/index.ts";
import { resolvePartial } from "../../settings/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { Body } from "../command.ts";
import { comparisonDisplay } from "../comparison-display.ts";
import { INTERRUPTED, interruptible } from "../interrupt.ts";
import { openFiles, openWorkflow } from "../workflow.ts";

export const run: Body = async ({ flags, terminal, json }) => {
  const { output = "runs/demo", seed, threads } = resolvePartial({ flags });
  const files = await openFiles();
  const workflow = await openWorkflow();
  const interrupt = interruptible(terminal);
  try {
    const running = workflow.demo({
      output,
      signal: interrupt.signal,
      ...(seed === undefined ? {} : { seed }),
      ...(threads === undefined ? {} : { threads }),
    });
    const show = comparisonDisplay(terminal);
    for await (const event of running) show(event);
    const { comparison, model, data, durationMs, runs } = await running.result;
    const page = joinPath(output, "report.html");
    const lead = [model, data];
    await files.write(page, reportHtml({ title: "deft demo", lead, runs, comparison, command: "deft demo" }));
    if (json) terminal.print(JSON.stringify(comparisonJson(comparison)));
    else {
      const table = renderTable(comparisonTable(comparison), (text) => terminal.style("bold", text, "out"));
      terminal.print([model, data, "", ...table, "", ...comparisonSentences(comparison)].join("\n"));
      terminal.print(`Took ${duration(durationMs)}. Curves and layers: ${page}`);
      terminal.note("\nNext: your own data\n  deft train --help");
    }
    return interrupt.signal.aborted ? INTERRUPTED : 0;
  } finally {
    interrupt.release();
  }
};
