// T5's LoRA, bottleneck adapters and merged checkpoints to and from Python, by the logits of encoder and decoder together.
import { beforeAll, expect, test, vi } from "vitest";
import { describeWithAdapters, describeWithPython } from "../support/python.ts";
import { Bench, expectSame, type Logits, refused, succeed } from "./interchange.ts";
import { model, ours, prepare, run } from "./t5-bench.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

describeWithPython("LoRA and merged models of T5", (interpreter) => {
  const bench = new Bench("t5");
  const runs = {
    usual: ["--method", "lora"],
    wide: ["--method", "lora", "--targets", "all-linear"],
    full: ["--method", "full"],
    prompt: ["--method", "prompt", "--virtual-tokens", "4"],
  };
  let made: Logits;

  beforeAll(async () => {
    await prepare(bench, runs);
    const args = ["make", "--base", bench.at("base"), "--out", bench.at("peft")];
    made = (await bench.theirs("interchange.py", args, interpreter)) as Logits;
  });

  test("peft's adapters give the same logits here, and ours in peft", async () => {
    const folders: string[] = [];
    const expected: Record<string, readonly number[]> = {};
    for (const [name, logits] of Object.entries(made)) {
      expectSame(await ours(model(bench.at("base"), bench.at("peft", name))), logits, name);
      const target = ["--model", bench.at("base"), "--adapter", bench.at("peft", name)];
      await succeed("export", ...target, "--format", "peft", "--output", bench.at("back", name), "-q");
      folders.push(`back-${name}=${bench.at("back", name)}`);
      expected[`back-${name}`] = logits;
    }
    for (const name of ["usual", "wide", "prompt"]) {
      await succeed("export", bench.at(name), "--format", "peft", "--output", bench.at("ours", name), "-q");
      expect(await bench.json("ours", name, "adapter_config.json")).toMatchObject({ task_type: "SEQ_2_SEQ_LM" });
      folders.push(`${name}=${bench.at("ours", name)}`);
      expected[name] = await ours(run(bench.at(name)));
    }
    expect(folders).toHaveLength(12);
    const args = ["load", "--base", bench.at("base"), ...folders];
    const loaded = (await bench.theirs("interchange.py", args, interpreter)) as Logits;
    for (const [name, logits] of Object.entries(expected)) expectSame(logits, loaded[name]!, name);
  });

  test("merged runs give the same logits in transformers, and here as a plain model", async () => {
    const folders: string[] = [];
    const mergeable = ["usual", "wide", "full"];
    for (const name of mergeable) {
      await succeed("export", bench.at(name), "--format", "merged", "--output", bench.at("merged", name), "-q");
      folders.push(`${name}=${bench.at("merged", name)}`);
    }
    const theirs = (name: string) => ["--model", bench.at("base"), "--adapter", bench.at("peft", name)];
    for (const name of ["distances", "vocabulary"]) {
      await succeed("export", ...theirs(name), "--format", "merged", "--output", bench.at("merged", name), "-q");
      folders.push(`${name}=${bench.at("merged", name)}`);
    }
    const tables = ["export", ...theirs("tables"), "--format", "merged", "--output", bench.at("merged/tables")];
    expect(await refused(...tables)).toContain("embed_tokens.weight, which the model has under another name");
    const loaded = (await bench.theirs("interchange.py", ["merged", ...folders], interpreter)) as Record<
      string,
      { logits: number[] }
    >;
    for (const name of ["distances", "vocabulary"]) expectSame(loaded[name]!.logits, made[name]!, `${name}, merged`);
    for (const name of mergeable) {
      const logits = await ours(run(bench.at(name)));
      expectSame(logits, loaded[name]!.logits, name);
      expectSame(logits, await ours(model(bench.at("merged", name), null)), `${name}, here`);
    }
  });
});

describeWithPython("adapters and merged models of mT5", (interpreter) => {
  const bench = new Bench("mt5");
  const runs = { usual: ["--method", "lora"], ia3: ["--method", "ia3"], full: ["--method", "full"] };

  test("runs exported here give the same logits in peft and in transformers", async () => {
    await prepare(bench, runs, { model_type: "mt5", feed_forward_proj: "gated-gelu" });
    const exported = async (format: string, names: readonly string[]) => {
      const folders = names.map((name) => [name, bench.at(format, name)] as const);
      for (const [name, folder] of folders)
        await succeed("export", bench.at(name), "--format", format, "--output", folder, "-q");
      return folders.map(([name, folder]) => `${name}=${folder}`);
    };
    const args = ["load", "--base", bench.at("base"), ...(await exported("peft", ["usual", "ia3"]))];
    const loaded = (await bench.theirs("interchange.py", args, interpreter)) as Logits;
    for (const [name, logits] of Object.entries(loaded)) expectSame(await ours(run(bench.at(name))), logits, name);
    const folders = await exported("merged", Object.keys(runs));
    const merged = (await bench.theirs("interchange.py", ["merged", ...folders], interpreter)) as Record<
      string,
      { logits: number[] }
    >;
    for (const name of Object.keys(runs)) {
      expectSame(await ours(run(bench.at(name))), merged[name]!.logits, name);
      expectSame(await ours(model(bench.at("merged", name), null)), merged[name]!.logits, `${name}, here`);
    }
    expect(Object.keys(loaded)).toHaveLength(2);
  });
});

describeWithPython("LoRA over a T5 whose head is its embeddings", (interpreter) => {
  test("a head of its own takes the update in", async () => {
    const bench = new Bench("t5-tied");
    await prepare(bench, {}, { tie_word_embeddings: true });
    const args = ["make", "--base", bench.at("base"), "--out", bench.at("peft")];
    const made = (await bench.theirs("interchange.py", args, interpreter)) as Logits;
    for (const name of ["vocabulary", "tables", "shared", "distances"])
      expectSame(await ours(model(bench.at("base"), bench.at("peft", name))), made[name]!, name);
    const target = ["--model", bench.at("base"), "--adapter", bench.at("peft/vocabulary")];
    await succeed("export", ...target, "--format", "merged", "--output", bench.at("merged"), "-q");
    const loaded = (await bench.theirs(
      "interchange.py",
      ["merged", `own=${bench.at("merged")}`],
      interpreter,
    )) as Record<string, { logits: number[] }>;
    expectSame(loaded.own!.logits, made.vocabulary!, "merged");
    expectSame(await ours(model(bench.at("merged"), null)), made.vocabulary!, "merged, here");
  });
});

describeWithAdapters("bottleneck adapters of T5", (interpreter) => {
  const bench = new Bench("adapters-t5");
  const runs = {
    pfeiffer: ["--method", "adapter", "--reduction-factor", "4"],
    houlsby: ["--method", "adapter", "--adapter-kind", "houlsby", "--reduction-factor", "4"],
  };
  let made: Logits;

  beforeAll(async () => {
    await prepare(bench, runs);
    const args = ["make", "--base", bench.at("base"), "--out", bench.at("hub")];
    made = (await bench.theirs("interchange_adapters.py", args, interpreter)) as Logits;
  });

  test("theirs give the same logits here, and ours there", async () => {
    for (const name of ["pfeiffer", "houlsby", "gelu"])
      expectSame(await ours(model(bench.at("base"), bench.at("hub", name))), made[name]!, name);
    const parallel = ["--model", bench.at("base"), "--adapter", bench.at("hub/parallel"), "--text", "a film"];
    expect(await refused("predict", ...parallel)).toContain("is_parallel");
    const folders: string[] = [];
    for (const name of Object.keys(runs)) {
      await succeed("export", bench.at(name), "--format", "adapters", "--output", bench.at("ours", name), "-q");
      folders.push(`${name}=${bench.at("ours", name)}`);
    }
    const args = ["load", "--base", bench.at("base"), ...folders];
    const loaded = (await bench.theirs("interchange_adapters.py", args, interpreter)) as Logits;
    for (const name of Object.keys(runs)) expectSame(await ours(run(bench.at(name))), loaded[name]!, name);
  });
});
