// LoRA to and from Hugging Face's peft, and merged models to transformers, with the same logits on both sides.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { describeWithPython } from "../support/python.ts";
import { Bench, expectSame, type Logits, succeed } from "./interchange.ts";

// torch alone takes seconds to import on a busy machine
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const RUNS: Readonly<Record<string, readonly string[]>> = {
  usual: ["--method", "lora"],
  "all-linear": ["--method", "lora", "--targets", "all-linear", "--rslora", "--rank", "3"],
  bias: ["--method", "lora", "--targets", "key,intermediate.dense", "--bias", "all"],
};
const MERGED: Readonly<Record<string, readonly string[]>> = {
  ...RUNS,
  head: ["--method", "head"],
  full: ["--method", "full"],
};

/** Kinds of peft's that are merged too. */
const THEIRS = [
  "patterns",
  "tables",
  "tables-stored",
  "on-head",
  "on-head-bias",
  "without-head",
  "features-all-linear",
  "old",
];

describeWithPython("LoRA and merged models", (interpreter) => {
  describe.each(["bert", "roberta"] as const)("of %s", (modelType) => {
    const bench = new Bench(modelType);
    const base = () => ["--base", bench.at("base")];
    let made: Logits;

    beforeAll(async () => {
      await bench.prepare(modelType);
      const args = ["make", ...base(), "--out", bench.at("peft")];
      made = (await bench.theirs("interchange.py", args, interpreter)) as Logits;
      for (const [name, flags] of Object.entries(MERGED)) await bench.train(name, ...flags);
    });

    test("peft's adapters give the same logits here, and again in peft after a way through us", async () => {
      const back: string[] = [];
      for (const [name, expected] of Object.entries(made)) {
        const target = ["--model", bench.at("base"), "--adapter", bench.at("peft", name)];
        // virtual tokens leave fewer positions to the text
        const room = name === "old-prompt" ? ["--max-length", "60"] : [];
        expectSame(await bench.ours(...target, ...room), expected, name);
        await succeed("export", ...target, "--format", "peft", "--output", bench.at("back", name), "-q");
        back.push(`${name}=${bench.at("back", name)}`);
      }
      expect(back).toHaveLength(26);
      const loaded = (await bench.theirs("interchange.py", ["load", ...base(), ...back], interpreter)) as Logits;
      for (const [name, expected] of Object.entries(made)) expectSame(loaded[name]!, expected, `${name}, back`);
    });

    test("runs exported here give the same logits in peft", async () => {
      const folders: string[] = [];
      for (const name of Object.keys(RUNS)) {
        await succeed("export", bench.at(name), "--format", "peft", "--output", bench.at("ours", name), "-q");
        expect(await bench.json("ours", name, "adapter_config.json")).toMatchObject({ peft_type: "LORA" });
        folders.push(`${name}=${bench.at("ours", name)}`);
      }
      const loaded = (await bench.theirs("interchange.py", ["load", ...base(), ...folders], interpreter)) as Logits;
      for (const name of Object.keys(RUNS)) expectSame(await bench.ours(bench.at(name)), loaded[name]!, name);
    });

    test("merged runs give the same logits in transformers, and here as a plain model", async () => {
      const folders: string[] = [];
      for (const name of Object.keys(MERGED)) {
        await succeed("export", bench.at(name), "--format", "merged", "--output", bench.at("merged", name), "-q");
        folders.push(`${name}=${bench.at("merged", name)}`);
      }
      // adapters of peft's, merged here
      for (const name of THEIRS) {
        const target = ["--model", bench.at("base"), "--adapter", bench.at("peft", name)];
        await succeed("export", ...target, "--format", "merged", "--output", bench.at("merged", name), "-q");
        folders.push(`${name}=${bench.at("merged", name)}`);
      }
      const loaded = (await bench.theirs("interchange.py", ["merged", ...folders], interpreter)) as Record<
        string,
        { logits: number[]; labels: Record<string, string> }
      >;
      for (const name of THEIRS) expectSame(loaded[name]!.logits, made[name]!, `${name}, merged`);
      for (const name of Object.keys(MERGED)) {
        const ours = await bench.ours(bench.at(name));
        expectSame(ours, loaded[name]!.logits, name);
        expectSame(ours, await bench.ours("--model", bench.at("merged", name)), `${name}, here`);
        expect(loaded[name]!.labels).toEqual({ 0: "negative", 1: "positive" });
      }
    });
  });
});
