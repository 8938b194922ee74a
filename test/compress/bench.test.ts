// `deft bench` end to end: what it reports of runs, compressed models, exports and peers. No time is asserted.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deft } from "../support/command.ts";
import { describeWithPython } from "../support/python.ts";
import { type TinyRun, tinyRun } from "./support.ts";

interface Row {
  readonly run: string;
  readonly engine: string;
  readonly precision: string;
  readonly batch: number;
  readonly tokens: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number };
  readonly tokensPerSecond: number;
  readonly loadMs: number;
  readonly peakRssBytes: number;
  readonly fileBytes: number;
  readonly processorMs: number;
  readonly ratioToFirst: number;
  readonly processorRatioToFirst: number;
  readonly countedRounds: number;
  readonly isReliable: boolean | null;
  readonly estimate: { readonly macs: number; readonly macsWithoutZeros: number; readonly energy: number } | null;
}

let tiny: TinyRun;
let small: string;
beforeAll(async () => {
  tiny = await tinyRun();
  small = join(tiny.root, "small");
  await deft("compress", tiny.run, "--output", small, "--keep-neurons", "0.25", "--threads", "1", "-q");
  await deft("export", small, "--format", "onnx", "--output", `${small}-onnx`, "-q");
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

interface Rounds {
  readonly batch: number;
  readonly tried: number;
  readonly quiet: number | null;
  readonly counted: number;
  readonly foreignLoad: number | null;
  readonly isReliable: boolean | null;
}

const QUICK = ["--rounds", "4", "--threads", "1", "--json"];

async function bench(...argv: string[]) {
  const { code, out, err } = await deft("bench", ...argv, ...QUICK);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as {
    readonly threads: number;
    readonly texts: object;
    readonly foreignLoad: number | null;
    readonly rounds: readonly Rounds[];
    readonly rows: readonly Row[];
  };
}

test("qdq takes its ranges from the data of each model", async () => {
  const { rows } = await bench(tiny.run, small, "--batches", "1", "--precision", "fp32,qdq");
  expect(rows.map(({ run, precision }) => [run, precision])).toEqual(
    [tiny.run, small].flatMap((run) => ["fp32", "qdq"].map((precision) => [run, precision])),
  );
  expect(rows[1]!.estimate!.energy).toBeLessThan(rows[0]!.estimate!.energy);
});

test("a row for each model, precision and batch size, ratios to the first, sizes that shrink", async () => {
  const { rows, threads, texts } = await bench(tiny.run, small, `${small}-onnx`, "--batches", "1,4");
  expect({ threads, texts }).toMatchObject({ threads: 1, texts: { split: "dev", count: 32 } });
  expect(rows.map(({ run, precision, batch }) => [run, precision, batch])).toEqual(
    [1, 4].flatMap((batch) =>
      [tiny.run, small, `${small}-onnx`].flatMap((run) => ["fp32", "int8"].map((precision) => [run, precision, batch])),
    ),
  );
  for (const row of rows) {
    for (const value of [
      row.tokens,
      row.tokensPerSecond,
      row.loadMs,
      row.peakRssBytes,
      row.fileBytes,
      row.ratioToFirst,
      row.processorMs,
      row.processorRatioToFirst,
    ])
      expect(value).toBeGreaterThan(0);
    expect(row.latencyMs.p95).toBeGreaterThanOrEqual(row.latencyMs.p50);
    expect(row.estimate!.macsWithoutZeros).toBeLessThanOrEqual(row.estimate!.macs);
  }
  expect(rows[0]).toMatchObject({ ratioToFirst: 1, processorRatioToFirst: 1 });
  expect(rows[2]!.fileBytes).toBeLessThan(rows[0]!.fileBytes);
  expect(rows[2]!.fileBytes).toBe(rows[4]!.fileBytes);
  expect(rows[2]!.estimate!.macs).toBeLessThan(rows[0]!.estimate!.macs);
});

test("what other programs took meanwhile, and the rounds that count", async () => {
  const { rows, rounds, foreignLoad } = await bench(tiny.run, "--batches", "1,4", "--precision", "fp32");
  expect(rounds.map(({ batch }) => batch)).toEqual([1, 4]);
  expect(foreignLoad === null).toBe(!existsSync("/proc/stat"));
  for (const [i, of] of rounds.entries()) {
    const wanted = [4, 3][i]!;
    expect(of.tried).toBeGreaterThanOrEqual(wanted);
    expect(of.tried).toBeLessThanOrEqual(3 * wanted);
    if (of.foreignLoad === null) expect(of).toMatchObject({ quiet: null, isReliable: null, counted: of.tried });
    else expect(of.counted).toBe(of.isReliable ? of.quiet : of.tried);
    expect(rows[i]).toMatchObject({ countedRounds: of.counted, isReliable: of.isReliable });
  }
});

test("Transformers.js as a peer, in float32 and q8; PyTorch left out where it is not", async () => {
  const before = process.env.DEFT_PYTHON;
  process.env.DEFT_PYTHON = join(tiny.root, "no-python");
  const { code, out, err } = await deft(
    "bench",
    tiny.run,
    "--batches",
    "2",
    "--precision",
    "fp32",
    "--peers",
    "transformers.js,pytorch",
    ...QUICK,
  );
  if (before === undefined) delete process.env.DEFT_PYTHON;
  else process.env.DEFT_PYTHON = before;
  expect(code).toBe(0);
  expect(err).toMatch(/pytorch is not installed here/);
  const { rows } = JSON.parse(out) as { readonly rows: readonly Row[] };
  expect(rows.map(({ engine, precision }) => [engine, precision])).toEqual([
    ["onnxruntime", "fp32"],
    ["transformers.js", "fp32"],
    ["transformers.js", "int8"],
  ]);
});

test("wrong input is told at once", async () => {
  const { code, err } = await deft("bench", tiny.run, "--batches", "0", "--peers", "tf", "--precision", "fp8");
  expect(code).toBe(2);
  expect(err).toMatch(/--precision: .*\n.*--peers: .*\n.*--batches: /);
  expect(await deft("bench", join(tiny.root, "nothing"))).toMatchObject({ code: 2 });
  expect((await deft("bench", `${small}-onnx`)).err).toMatch(/expected a run or model among the folders/);
});

describeWithPython("PyTorch as a peer", (python) => {
  test("runs the same model", async () => {
    const before = process.env.DEFT_PYTHON;
    process.env.DEFT_PYTHON = python;
    const { rows } = await bench(tiny.run, "--batches", "2", "--precision", "fp32", "--peers", "pytorch");
    if (before === undefined) delete process.env.DEFT_PYTHON;
    else process.env.DEFT_PYTHON = before;
    expect(rows.map(({ engine }) => engine)).toEqual(["onnxruntime", "pytorch"]);
  });
});
