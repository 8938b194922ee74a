// `deft bench`: latency, throughput, load time, memory and size of several models, interleaved.

import { ConfigError, type ConfigIssue } from "../../errors.ts";
import type { BenchOptions } from "../../jobs/index.ts";
import { arithmeticTable, benchNotes, benchTable, ENERGY_CAVEAT, renderTable, toJson } from "../../report/index.ts";
import { resolvePartial } from "../../settings/index.ts";
import { startWorker } from "../bench-process.ts";
import type { Body } from "../command.ts";
import { foreignLoadMeter } from "../foreign-load.ts";
import { onnxPrecisions } from "../own-flags.ts";
import { openWorkflow } from "../workflow.ts";

const PEERS = ["transformers.js", "pytorch"];

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { precision, peers, "peer-onnx": peerOnnx, batches, rounds, "new-tokens": newTokens, ...rest } = flags;
  const options = {
    targets: args.flat(),
    peerOnnx: typeof peerOnnx === "string" ? peerOnnx : null,
    ...checked({ precision, peers, batches, rounds, "new-tokens": newTokens }),
  };
  const { threads, ...overrides } = resolvePartial({ flags: rest });
  const { availableParallelism } = await import("node:os");
  const running = (await openWorkflow(terminal)).bench(
    { ...options, threads: threads ?? availableParallelism(), meter: foreignLoadMeter() },
    startWorker,
    overrides,
  );
  for await (const { text, done, total } of running)
    terminal.live(
      () => `${text}  ${done}/${total}`,
      () => `${text}  ${done}/${total}`,
    );
  const report = await running.result;
  for (const engine of report.absent) terminal.warn(`${engine} is not installed here: its rows are left out.`);
  if (json) {
    terminal.print(JSON.stringify(toJson(report)));
    return 0;
  }
  const bold = (text: string) => terminal.style("bold", text, "out");
  const { texts } = report;
  terminal.print(
    [
      ...renderTable(benchTable(report), bold),
      "",
      ...renderTable(arithmeticTable(report), bold),
      ENERGY_CAVEAT,
      "",
      `${report.device}, ${report.threads} threads; ${texts.count} texts of ${texts.split}, ${texts.meanTokens.toFixed(1)} tokens in the mean, padded to the longest of a batch${report.newTokens === null ? "" : `; each made to have ${report.newTokens} tokens written`}`,
      ...benchNotes(report),
    ].join("\n"),
  );
  return 0;
};

function checked(given: Readonly<Record<"precision" | "peers" | "batches" | "rounds" | "new-tokens", unknown>>) {
  const issues: ConfigIssue[] = [];
  const list = (key: "peers", known: readonly string[], usual: readonly string[]) => {
    const text = given[key];
    if (typeof text !== "string") return usual;
    const words = text.split(",");
    const unknown = words.filter((word) => !known.includes(word));
    if (unknown.length > 0)
      issues.push({ path: `--${key}`, expected: `some of ${known.join(", ")}`, got: unknown.join(", ") });
    return words;
  };
  const { precisions, issues: unknown } = onnxPrecisions(
    typeof given.precision === "string" ? given.precision : "fp32,int8",
  );
  issues.push(...unknown);
  const peers = list("peers", PEERS, []) as BenchOptions["peers"];
  const batches = (typeof given.batches === "string" ? given.batches : "1,8,32").split(",").map(Number);
  if (batches.some((size) => !Number.isInteger(size) || size < 1))
    issues.push({ path: "--batches", expected: "whole numbers ≥ 1 such as 1,8,32", got: String(given.batches) });
  const rounds = Number(given.rounds ?? 40);
  if (!Number.isInteger(rounds) || rounds < 1)
    issues.push({ path: "--rounds", expected: "a whole number ≥ 1", got: String(given.rounds) });
  const newTokens = Number(given["new-tokens"] ?? 32);
  if (!Number.isInteger(newTokens) || newTokens < 2)
    issues.push({ path: "--new-tokens", expected: "a whole number ≥ 2", got: String(given["new-tokens"]) });
  if (issues.length > 0) throw new ConfigError(issues);
  return { precisions, peers, batches, rounds, newTokens };
}
