// ONNX Runtime on a file as a peer of worker.ts: a standard export that onnxruntime's own transformer optimizer has fused.
import { createInterface } from "node:readline";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { between, moment } from "../src/cli/bench-clock.ts";

type Rows = readonly (readonly number[])[];

interface Request {
  readonly do: "eval" | "memory";
  readonly batch: Readonly<Record<"tokenIds" | "attentionMask" | "typeIds", Rows>>;
}

const { file, threads } = JSON.parse(process.argv[2]!) as { readonly file: string; readonly threads: number };
const session = await InferenceSession.create(file, {
  executionProviders: ["cpu"],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: "all",
  // as ours in a benchmark: threads rest as soon as a run ends, and leave the processors to the side whose turn it is
  extra: { session: { force_spinning_stop: "1" } },
});

function ids(rows: Rows): Tensor {
  return new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);
}

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

answer({ ready: true, ms: performance.now() });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  if (request.do === "memory") {
    answer({ peak: process.resourceUsage().maxRSS * 1024, present: process.memoryUsage().rss, ...moment() });
    continue;
  }
  const { tokenIds, attentionMask, typeIds } = request.batch;
  const feeds: Record<string, Tensor> = {
    input_ids: ids(tokenIds),
    attention_mask: ids(attentionMask),
    token_type_ids: ids(typeIds),
  };
  const began = moment();
  const { logits } = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!])));
  const taken = between(began, moment());
  answer({ ...taken, value: (logits!.data as Float32Array).reduce((a, b) => a + b, 0) });
}
