// `deft compress`: a smaller model by rule or under a measured budget, and what it costs.

import { COMPRESS_KEYS, compressOptions } from "../../jobs/index.ts";
import { compressionNotes, compressionTable, renderTable, shellLine, toJson } from "../../report/index.ts";
import type { Body } from "../command.ts";
import { compressionDisplay } from "../compression-display.ts";
import { INTERRUPTED, interruptible } from "../interrupt.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

export const run: Body = async (call) => {
  const { args, flags, terminal, json } = call;
  if (flags.prune !== undefined || flags["prune-scope"] !== undefined) {
    return (await import("./compress-prune.ts")).run(call);
  }
  const isOwn = (name: string) => (COMPRESS_KEYS as readonly string[]).includes(name);
  const own = Object.fromEntries(Object.entries(flags).filter(([name]) => isOwn(name)));
  const rest = Object.fromEntries(Object.entries(flags).filter(([name]) => !isOwn(name)));
  const options = compressOptions(own);
  const { target, overrides } = readTarget({ args, flags: rest });
  const interrupt = interruptible(terminal);
  try {
    const running = (await openWorkflow(terminal)).compress(target, options, overrides, { signal: interrupt.signal });
    const show = compressionDisplay(terminal);
    for await (const event of running) {
      // a recovery is a run with checkpoints; whatever else was measured is in a file already
      if (event.type === "recovery" || event.type === "stage") interrupt.saves(event.type === "recovery");
      show(event);
    }
    const compression = await running.result;
    if (json) {
      terminal.print(JSON.stringify(toJson(compression)));
      return 0;
    }
    const bold = (text: string) => terminal.style("bold", text, "out");
    terminal.print(
      [...renderTable(compressionTable(compression), bold), "", ...compressionNotes(compression)].join("\n"),
    );
    const shipped = [
      ["deft", "export", options.output, "--format", "onnx", "--output", `${options.output}-onnx`],
      ["deft", "bench", ...(target.kind === "run" ? [target.folder] : []), options.output],
    ];
    const next = [
      ...(compression.beside === undefined ? shipped : [["deft", "eval", options.output]]),
      ["deft", "report", ...(target.kind === "run" ? [target.folder] : []), options.output],
    ];
    terminal.note(`\nNext:\n${next.map((words) => `  ${shellLine(words)}`).join("\n")}`);
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    terminal.warn("Stopped. The same command goes on where it was.");
    return INTERRUPTED;
  } finally {
    interrupt.saves(false);
  }
};
