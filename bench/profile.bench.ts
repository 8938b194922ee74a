// Where the time of a training step goes, by kind of operator: ONNX Runtime's own profile of some steps, in one process.
//   npx tsx bench/profile.bench.ts --shape minilm|roberta-base|flan-t5-base --batch 16 --length 128 [--answer 32 --threads 1 --steps 6 --no-density] [--json]
// The checkpoint is that of step.bench.ts, which makes it. Profiling slows a step by some percent; quote shares, not milliseconds.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ModelBatch } from "../src/tasks/index.ts";
import { int64 } from "../src/tensor/index.ts";
import { openSteps, openTraining, STEP_RATES } from "./training.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "minilm" },
    batch: { type: "string", default: "16" },
    length: { type: "string", default: "128" },
    answer: { type: "string", default: "32" },
    threads: { type: "string", default: "1" },
    steps: { type: "string", default: "6" },
    "no-density": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const [batch, length, answer, steps] = [values.batch, values.length, values.answer, values.steps].map(Number) as [
  number,
  number,
  number,
  number,
];

/** Kinds of operators in the order of the table; what is in none is "others". */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  "products with frozen matrices": ["Gemm", "MatMul", "FusedGemm", "FusedMatMul"],
  "products in attention": [],
  "products with LoRA's matrices": [],
  "sums and products by element": ["Mul", "Add", "Sub", "Div", "Neg", "Reciprocal", "Sqrt"],
  "activations and their slopes": ["Gelu", "FastGelu", "QuickGelu", "Erf", "Exp", "Tanh", "Relu", "Where", "Greater"],
  softmax: ["Softmax", "LogSoftmax"],
  norms: ["LayerNormalization", "SimplifiedLayerNormalization", "ReduceMean", "ReduceSum", "Pow"],
  "copies in another order": [
    "Transpose",
    "Gather",
    "Concat",
    "Slice",
    "Pad",
    "ScatterElements",
    "ScatterND",
    "Expand",
  ],
  "dropout's words and masks": ["BitwiseXor", "BitShift", "LessOrEqual", "Cast"],
};
/** Products are told apart by their inputs: of rank 4 in attention, with a side as short as a rank in LoRA. */
function kindOf({ args }: ProfileEvent): string {
  const kinds = Object.keys(KINDS);
  const kind = kinds.find((of) => KINDS[of]!.includes(args?.op_name ?? "")) ?? "others";
  if (kind !== kinds[0]) return kind;
  const shapes = (args?.input_type_shape ?? []).map((input) => Object.values(input)[0]!);
  if (shapes.some(({ length }) => length > 3)) return kinds[1]!;
  return shapes.slice(0, 2).some((shape) => shape.some((size) => size <= LONGEST_RANK)) ? kinds[2]! : kind;
}
const LONGEST_RANK = 8;

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

async function profiled(folder: string): Promise<readonly ProfileEvent[]> {
  const checkpoint = `.cache/bench/${values.shape}`;
  if (!existsSync(`${checkpoint}/model.safetensors`))
    throw new Error(`${checkpoint}: expected a checkpoint; bench/step.bench.ts --shape ${values.shape} makes it`);
  const options = { checkpoint, threads: Number(values.threads), density: !values["no-density"], dropout: 0.1 };
  const training = await openTraining({ ...options, compile: { profilePrefix: join(folder, "profile") } });
  const filled = batchOf(training.model.writes);
  const optimizer = await openSteps(training, options, filled);
  for (let step = 1; step <= steps; step++) await optimizer.step(step, [filled], STEP_RATES);
  await optimizer.dispose();
  return readdirSync(folder).flatMap((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as ProfileEvent[]);
}

function batchOf(writes: boolean): ModelBatch {
  const filled = (width: number, of: (i: number) => number) =>
    int64(
      [batch, width],
      Array.from({ length: batch * width }, (_, i) => of(i)),
    );
  const labels = writes
    ? filled(answer, (i) => 5 + (i % 900))
    : int64(
        [batch],
        [...Array(batch).keys()].map((i) => i % 2),
      );
  const text = {
    tokenIds: filled(length, (i) => 5 + ((i * 7919) % 900)),
    attentionMask: filled(length, () => 1),
    labels,
  };
  return {
    inputs: writes ? text : { ...text, typeIds: filled(length, () => 0) },
    indices: [...Array(batch).keys()],
    attendedTokens: batch * length,
  };
}

const folder = mkdtempSync(join(tmpdir(), "deft-profile-"));
try {
  const nodes = (await profiled(folder)).filter(({ cat, name }) => cat === "Node" && name.endsWith("_kernel_time"));
  const times = new Map([...Object.keys(KINDS), "others"].map((kind) => [kind, 0]));
  for (const node of nodes) times.set(kindOf(node), times.get(kindOf(node))! + node.dur / 1000 / steps);
  const total = [...times.values()].reduce((sum, ms) => sum + ms, 0);
  if (values.json) console.log(JSON.stringify({ ...values, totalMs: total, kinds: Object.fromEntries(times) }));
  else {
    for (const [kind, ms] of times)
      console.log(
        `${kind.padEnd(32)} ${((100 * ms) / total).toFixed(1).padStart(5)} %  ${ms.toFixed(1).padStart(8)} ms`,
      );
    console.log(`${"all kernels of a step".padEnd(32)} 100.0 %  ${total.toFixed(1).padStart(8)} ms`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
