// IA3 to and from Hugging Face's peft, and merged into plain checkpoints, with the same logits on both sides.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { describeWithPython } from "../support/python.ts";
import { Bench, expectSame, type Logits, succeed } from "./interchange.ts";
import { model, ours, prepare, run } from "./t5-bench.ts";

// torch alone takes seconds to import on a busy machine
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const INPUT = [
  "--targets",
  "query,intermediate.dense,attention.output.dense",
  "--feedforward-targets",
  "intermediate.dense",
];
const RUNS: Readonly<Record<string, readonly string[]>> = {
  usual: ["--method", "ia3"],
  input: ["--method", "ia3", ...INPUT],
  "all-linear": ["--method", "ia3", "--targets", "all-linear"],
};
type Merged = Record<string, { logits: number[]; labels: Record<string, string> }>;

describeWithPython("IA3", (interpreter) => {
  /** What peft made, by name. */
  const makeTheirs = (bench: Bench) =>
    bench.theirs("interchange_ia3.py", ["make", "--base", bench.at("base"), "--out", bench.at("peft")], interpreter);

  /** Loads folders in peft. */
  const loaded = async (bench: Bench, folders: Readonly<Record<string, string>>) => {
    const named = Object.entries(folders).map(([name, folder]) => `${name}=${folder}`);
    return (await bench.theirs(
      "interchange.py",
      ["load", "--base", bench.at("base"), ...named],
      interpreter,
    )) as Logits;
  };

  /** Exports targets; gives their folders. */
  const exported = async (bench: Bench, format: string, targets: Readonly<Record<string, readonly string[]>>) => {
    const folders: Record<string, string> = {};
    for (const [name, target] of Object.entries(targets)) {
      folders[name] = bench.at(`our-${format}`, name);
      await succeed("export", ...target, "--format", format, "--output", folders[name], "-q");
    }
    return folders;
  };

  describe.each(["bert", "roberta"] as const)("of %s", (modelType) => {
    const bench = new Bench(`ia3-${modelType}`);
    const theirs = (name: string) => ["--model", bench.at("base"), "--adapter", bench.at("peft", name)];
    let made: Logits;
    beforeAll(async () => {
      await bench.prepare(modelType);
      made = (await makeTheirs(bench)) as Logits;
      for (const [name, flags] of Object.entries(RUNS)) await bench.train(name, ...flags);
    });

    test("peft's adapters give the same logits here, and again in peft after a way through us", async () => {
      for (const [name, expected] of Object.entries(made))
        expectSame(await bench.ours(...theirs(name)), expected, name);
      const targets = Object.fromEntries(Object.keys(made).map((name) => [`back-${name}`, theirs(name)]));
      expect(Object.keys(targets)).toHaveLength(6);
      const back = await loaded(bench, await exported(bench, "peft", targets));
      for (const [name, expected] of Object.entries(made)) expectSame(back[`back-${name}`]!, expected, `${name}, back`);
    });

    test("runs give the same logits in peft, and by their adapter folder alone", async () => {
      const folders = await exported(
        bench,
        "peft",
        Object.fromEntries(Object.keys(RUNS).map((name) => [name, [bench.at(name)]])),
      );
      expect(await bench.json("our-peft", "usual", "adapter_config.json")).toMatchObject({
        peft_type: "IA3",
        target_modules: ["key", "value", "output.dense"],
        feedforward_modules: ["output.dense"],
        modules_to_save: ["classifier"],
      });
      const there = await loaded(bench, folders);
      for (const name of Object.keys(RUNS)) {
        const logits = await bench.ours(bench.at(name));
        expectSame(logits, there[name]!, name);
        expect(await bench.ours("--model", bench.at("base"), "--adapter", bench.at(name, "adapter"))).toEqual(logits);
      }
    });

    test("merged, they give the same logits in transformers, and here as a plain model", async () => {
      const targets = Object.fromEntries(Object.keys(RUNS).map((name) => [name, [bench.at(name)]]));
      const folders = await exported(bench, "merged", { ...targets, theirs: theirs("regex") });
      const named = Object.entries(folders).map(([name, folder]) => `${name}=${folder}`);
      const there = (await bench.theirs("interchange.py", ["merged", ...named], interpreter)) as Merged;
      expectSame(there.theirs!.logits, made.regex!, "peft's, merged");
      for (const name of Object.keys(RUNS)) {
        const logits = await bench.ours(bench.at(name));
        expectSame(logits, there[name]!.logits, name);
        expectSame(logits, await bench.ours("--model", folders[name]!), `${name}, here`);
        expect(there[name]!.labels).toEqual({ 0: "negative", 1: "positive" });
      }
    });
  });

  describe.each([
    ["v1.0", {}],
    ["v1.1", { feed_forward_proj: "gated-gelu" }],
  ])("of T5 %s", (version, config) => {
    const bench = new Bench(`ia3-t5-${version}`);
    const runs = { usual: ["--method", "ia3"], output: ["--method", "ia3", "--targets", "q,wo"] };
    let made: Logits;
    beforeAll(async () => {
      await prepare(bench, runs, config);
      made = (await makeTheirs(bench)) as Logits;
    });

    test("peft's adapters give the same logits here, ours in peft, and both merged", async () => {
      const theirs = (name: string) => ["--model", bench.at("base"), "--adapter", bench.at("peft", name)];
      const expected: Record<string, readonly number[]> = {};
      for (const [name, logits] of Object.entries(made)) {
        expectSame(await ours(model(bench.at("base"), bench.at("peft", name))), logits, name);
        expected[`back-${name}`] = logits;
      }
      const targets: Record<string, readonly string[]> = Object.fromEntries(
        Object.keys(made).map((name) => [`back-${name}`, theirs(name)]),
      );
      for (const name of Object.keys(runs)) {
        targets[name] = [bench.at(name)];
        expected[name] = await ours(run(bench.at(name)));
      }
      const there = await loaded(bench, await exported(bench, "peft", targets));
      for (const [name, logits] of Object.entries(expected)) expectSame(logits, there[name]!, name);
      const folders = await exported(bench, "merged", targets);
      const named = Object.entries(folders).map(([name, folder]) => `${name}=${folder}`);
      const plain = (await bench.theirs("interchange.py", ["merged", ...named], interpreter)) as Merged;
      for (const [name, logits] of Object.entries(expected)) {
        expectSame(logits, plain[name]!.logits, `${name}, merged`);
        expectSame(logits, await ours(model(folders[name]!, null)), `${name}, merged, here`);
      }
    });
  });
});
