// Every other type of encoder: runs exported here give the same logits in transformers and in peft.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { ENCODER_TYPES } from "../../src/models/index.ts";
import { describeWithPython } from "../support/python.ts";
import { Bench, expectSame, type Logits, succeed } from "./interchange.ts";

// torch alone takes seconds to import on a busy machine
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** Those that peft is given too. */
const ADAPTERS: Readonly<Record<string, readonly string[]>> = {
  usual: ["--method", "lora"],
  "all-linear": ["--method", "lora", "--targets", "all-linear", "--rank", "3"],
  ia3: ["--method", "ia3"],
  prompt: ["--method", "prompt", "--virtual-tokens", "3"],
};
const MERGED: Readonly<Record<string, readonly string[]>> = {
  usual: ADAPTERS["usual"]!,
  "all-linear": ADAPTERS["all-linear"]!,
  ia3: ADAPTERS["ia3"]!,
  head: ["--method", "head"],
  full: ["--method", "full"],
};
/** What is made of the full run: some neurons, all but one MLP, another activation. */
const SMALLER: Readonly<Record<string, readonly string[]>> = {
  smaller: ["--keep-neurons", "0.5"],
  shorter: ["--skip", "1"],
  relu: ["--activation", "relu", "--density-budget", "0.3", "--fit-steps", "3", "--keep-neurons", "0.6"],
};
const OTHERS = ENCODER_TYPES.filter((type) => type !== "bert" && type !== "roberta");

const NAMES = [...Object.keys(MERGED), ...Object.keys(SMALLER)];

describeWithPython("encoders of other types", (interpreter) => {
  describe.each(OTHERS)("%s", (modelType) => {
    const bench = new Bench(modelType);

    beforeAll(async () => {
      await bench.prepare(modelType);
      // virtual tokens leave fewer positions to the text
      for (const [name, flags] of Object.entries({ ...MERGED, ...ADAPTERS }))
        await bench.train(name, ...flags, "--max-length", "60");
      for (const [name, flags] of Object.entries(SMALLER))
        await succeed("compress", bench.at("full"), "--output", bench.at(name), ...flags, "--threads", "1", "-q");
    });

    test("runs exported here give the same logits in peft", async () => {
      const folders: string[] = [];
      for (const name of Object.keys(ADAPTERS)) {
        await succeed("export", bench.at(name), "--format", "peft", "--output", bench.at("peft", name), "-q");
        folders.push(`${name}=${bench.at("peft", name)}`);
      }
      const args = ["load", "--base", bench.at("base"), ...folders];
      const loaded = (await bench.theirs("interchange.py", args, interpreter)) as Logits;
      for (const name of Object.keys(ADAPTERS)) expectSame(await bench.ours(bench.at(name)), loaded[name]!, name);
      for (const name of Object.keys(ADAPTERS)) {
        const again = ["--model", bench.at("base"), "--adapter", bench.at("peft", name), "--max-length", "60"];
        expectSame(await bench.ours(...again), loaded[name]!, `${name}, from peft's folder`);
      }
    });

    test("merged runs give the same logits in transformers, and here as a plain model", async () => {
      const folders: string[] = [];
      for (const name of NAMES) {
        await succeed("export", bench.at(name), "--format", "merged", "--output", bench.at("merged", name), "-q");
        folders.push(`${name}=${bench.at("merged", name)}`);
      }
      const loaded = (await bench.theirs("interchange.py", ["merged", ...folders], interpreter)) as Readonly<
        Record<string, { readonly logits: readonly number[] }>
      >;
      for (const name of NAMES) {
        const { logits } = loaded[name]!;
        expectSame(await bench.ours(bench.at(name)), logits, name);
        expectSame(
          await bench.ours("--model", bench.at("merged", name), "--max-length", "60"),
          logits,
          `${name}, plain`,
        );
      }
      expect(Object.keys(loaded)).toHaveLength(NAMES.length);
    });
  });
});
