// Bottleneck adapters to and from AdapterHub's library, with the same logits on both sides.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { describeWithAdapters } from "../support/python.ts";
import { Bench, expectSame, type Logits, refused, succeed } from "./interchange.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const RUNS: Readonly<Record<string, readonly string[]>> = {
  pfeiffer: ["--method", "adapter", "--reduction-factor", "4"],
  houlsby: ["--method", "adapter", "--adapter-kind", "houlsby", "--reduction-factor", "4"],
};
const REFUSED: Readonly<Record<string, string>> = {
  parallel: "is_parallel",
  scaled: "scaling: expected 1, as seq_bn has it, got 2",
  "ln-before": "original_ln_before: expected false, as double_seq_bn has it, got true",
};

describeWithAdapters("bottleneck adapters", (interpreter) => {
  describe.each(["bert", "roberta"] as const)("of %s", (modelType) => {
    const bench = new Bench(`adapters-${modelType}`);
    const base = () => ["--base", bench.at("base")];
    let made: Logits;

    beforeAll(async () => {
      await bench.prepare(modelType);
      const args = ["make", ...base(), "--out", bench.at("hub")];
      made = (await bench.theirs("interchange_adapters.py", args, interpreter)) as Logits;
      for (const [name, flags] of Object.entries(RUNS)) await bench.train(name, ...flags);
    });

    test("theirs give the same logits here, and what is not built is refused", async () => {
      const target = (name: string) => ["--model", bench.at("base"), "--adapter", bench.at("hub", name)];
      for (const [name, expected] of Object.entries(made)) {
        if (!(name in REFUSED)) expectSame(await bench.ours(...target(name)), expected, name);
        else expect(await refused("predict", ...target(name), "--text", "a film")).toContain(REFUSED[name]);
      }
      expect(Object.keys(made)).toHaveLength(7);
    });

    test("ours give the same logits there, a way through us included", async () => {
      const folders: string[] = [];
      for (const name of Object.keys(RUNS)) {
        await succeed("export", bench.at(name), "--format", "adapters", "--output", bench.at("ours", name), "-q");
        folders.push(`${name}=${bench.at("ours", name)}`);
      }
      const target = ["--model", bench.at("base"), "--adapter", bench.at("hub/gelu")];
      await succeed("export", ...target, "--format", "adapters", "--output", bench.at("ours/gelu"), "-q");
      folders.push(`gelu=${bench.at("ours/gelu")}`);
      const args = ["load", ...base(), ...folders];
      const loaded = (await bench.theirs("interchange_adapters.py", args, interpreter)) as Logits;
      expectSame(loaded.gelu!, made.gelu!, "gelu, back");
      for (const name of Object.keys(RUNS)) expectSame(await bench.ours(bench.at(name)), loaded[name]!, name);
    });
  });
});
