// `deft demo`: the main job on what ships with the package, off line: without and with the density loss, then compressed.
import { compressOptions } from "../../deploy/index.ts";
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
import { resolvePartial } from "../../settings/index.ts";
import { joinPath } from "../../tensor/index.ts";
import { readOutcomes } from "../../workflow/index.ts";
import type { Body } from "../command.ts";
import { comparisonDisplay } from "../comparison-display.ts";
import { compressionDisplay } from "../compression-display.ts";
import { INTERRUPTED, interruptible } from "../interrupt.ts";
import { openFiles, openWorkflow } from "../workflow.ts";

/** Points of score that the smaller model may cost. */
const BUDGET = 1;

export const run: Body = async ({ flags, terminal, json }) => {
  const { output = "runs/demo", seed, threads } = resolvePartial({ flags });
  const files = await openFiles();
  const workflow = await openWorkflow();
  const interrupt = interruptible(terminal);
  const started = performance.now();
  try {
    const running = workflow.demo({
      output,
      signal: interrupt.signal,
      ...(seed === undefined ? {} : { seed }),
      ...(threads === undefined ? {} : { threads }),
    });
    const show = comparisonDisplay(terminal);
    for await (const event of running) show(event);
    const { comparison, model, data, runs } = await running.result;
    if (interrupt.signal.aborted) return INTERRUPTED;
    const page = joinPath(output, "report.html");
    const small = joinPath(output, "small");
    await files.remove(small);
    const squeezing = workflow.compressRun(
      { kind: "run", folder: runs.at(-1)!.record.settings.output! },
      compressOptions({ output: small, "score-budget": BUDGET }),
      threads === undefined ? {} : { threads },
      { signal: interrupt.signal },
    );
    const follow = compressionDisplay(terminal);
    for await (const event of squeezing) follow(event);
    const compression = await squeezing.result;
    const lead = [model, data];
    const answered = await Promise.all(
      runs.map(async (of) => ({ ...of, outcomes: await readOutcomes(files, of.record.settings.output!) })),
    );
    const compressions = [{ name: "small", record: compression, gates: null }];
    await files.write(
      page,
      reportHtml({
        title: "deft demo",
        lead,
        runs: answered,
        comparisons: [comparison],
        compressions,
        command: "deft demo",
      }),
    );
    if (json)
      terminal.print(JSON.stringify({ ...(comparisonJson(comparison) as object), compression: toJson(compression) }));
    else {
      const bold = (text: string) => terminal.style("bold", text, "out");
      const tables = [comparisonTable(comparison), compressionTable(compression)].map((of) => renderTable(of, bold));
      terminal.print([model, data, "", ...tables[0]!, "", ...comparisonSentences(comparison)].join("\n"));
      terminal.print(
        [
          "",
          `The DEFT run, compressed at a budget of ${BUDGET} point:`,
          "",
          ...tables[1]!,
          "",
          ...compressionNotes(compression),
        ].join("\n"),
      );
      terminal.print(`Took ${duration(performance.now() - started)}. Curves and layers: ${page}`);
      terminal.note("\nNext: your own data\n  deft train --help");
    }
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    return INTERRUPTED;
  } finally {
    interrupt.release();
  }
};
