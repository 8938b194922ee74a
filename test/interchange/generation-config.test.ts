// generation_config.json is followed: what the command writes for a folder is what transformers' generate writes for it.
import { readFile, rm, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { python } from "../hub/python.ts";
import { deft } from "../support/command.ts";
import { describeWithPython } from "../support/python.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples, writeFiles } from "../support/tiny-model.ts";
import { Bench, refused, succeed } from "./interchange.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const IDS = { decoder_start_token_id: 0, eos_token_id: 1, pad_token_id: 0 };
type Json = Readonly<Record<string, unknown>>;

/** Files, with flags of ours and arguments of theirs that are given beside them. */
const FOLLOWED: Readonly<Record<string, { config: Json; flags?: readonly string[]; given?: Json; legacy?: true }>> = {
  length: { config: { max_length: 7 } },
  "new tokens": { config: { max_new_tokens: 5, max_length: 90 } },
  beams: { config: { max_new_tokens: 8, num_beams: 4, early_stopping: true, length_penalty: 2.0 } },
  "beams that never stop": { config: { max_length: 9, num_beams: 3, early_stopping: "never", length_penalty: 0.4 } },
  shortest: { config: { max_new_tokens: 9, min_length: 7 } },
  "shortest, new": { config: { max_new_tokens: 9, min_new_tokens: 4, min_length: 2, num_beams: 2 } },
  "no series twice": { config: { max_new_tokens: 12, no_repeat_ngram_size: 2 } },
  repetition: { config: { max_new_tokens: 10, repetition_penalty: 2.5, num_beams: 2 } },
  "bad words": { config: { max_new_tokens: 8, bad_words_ids: [[5], [6, 7], [11]], suppress_tokens: [9, 10] } },
  forced: { config: { max_new_tokens: 6, forced_bos_token_id: 8, forced_eos_token_id: 1, begin_suppress_tokens: [4] } },
  start: { config: { max_new_tokens: 6, decoder_start_token_id: 12, eos_token_id: [1, 7] } },
  "drawing that is off": {
    config: { max_new_tokens: 6, do_sample: false, temperature: 0.2, top_k: 3, top_p: 0.1, typical_p: 0.2 },
  },
  "what changes no text": {
    config: {
      max_new_tokens: 6,
      use_cache: false,
      output_scores: false,
      transformers_version: "5.23.0",
      remove_invalid_values: true,
    },
  },
  "flags over it": {
    config: { max_new_tokens: 9, num_beams: 4, length_penalty: 2.0, no_repeat_ngram_size: 3 },
    flags: ["--num-beams", "2", "--max-new-tokens", "5", "--length-penalty", "-1"],
    given: { num_beams: 2, max_new_tokens: 5, length_penalty: -1.0 },
  },
  "one beam over it": {
    config: { max_new_tokens: 9, num_beams: 4 },
    flags: ["--num-beams", "1"],
    given: { num_beams: 1 },
  },
  "an older folder": { config: { num_beams: 3, max_length: 9, no_repeat_ngram_size: 2 }, legacy: true },
};

const GENERATE = `
import json, sys, torch
from transformers import AutoModelForSeq2SeqLM
root, jobs = sys.argv[1], json.load(open(sys.argv[2]))
seen = {}
for name, (folder, given) in jobs["folders"].items():
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    rows = []
    for ids in jobs["ids"]:
        out = model.generate(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), **given)
        row = out[0].tolist()[1:]
        ends = model.generation_config.eos_token_id
        at = [i for i, token in enumerate(row) if token in (ends if isinstance(ends, list) else [ends])]
        rows.append(row[: at[0] + 1] if at else row)
    seen[name] = rows
print(json.dumps(seen))`;

describeWithPython("generation_config.json", () => {
  const bench = new Bench("generation");
  const folderOf = (name: string) => bench.at(`model ${Object.keys(FOLLOWED).indexOf(name)}`);
  const texts = tinyExamples(8, 3).map(({ text }) => text);

  beforeAll(async () => {
    // lively enough that texts differ and end
    const sizeOf = (name: string) => (/(\.o|\.wo|EncDecAttention\.q)\.weight$/.test(name) ? 1.6 : 0.5);
    await writeTinyT5(bench.at("base"), { sizeOf, seed: 5 });
    await writeFile(bench.at("texts.jsonl"), texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
    for (const [name, { config, legacy }] of Object.entries(FOLLOWED)) {
      const base = JSON.parse(await readFile(bench.at("base/config.json"), "utf8")) as Json;
      await writeFiles(folderOf(name), {
        "config.json": JSON.stringify(legacy ? { ...base, ...config } : base),
        ...(legacy ? {} : { "generation_config.json": JSON.stringify({ ...IDS, ...config }) }),
        "model.safetensors": await readFile(bench.at("base/model.safetensors")),
        "tokenizer.json": await readFile(bench.at("base/tokenizer.json")),
        "tokenizer_config.json": await readFile(bench.at("base/tokenizer_config.json")),
      });
    }
  });

  const written = async (...target: readonly string[]) => {
    const out = await succeed("predict", ...target, "--input", bench.at("texts.jsonl"), "--threads", "1");
    return out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { text: string }).text);
  };

  test("the same texts, file by file", async () => {
    const tokenizer = await loadTokenizer(nodeFiles(), bench.at("base"));
    const ids = texts.map((text) => tokenizer.encode(text, null, { maxLength: null }).ids);
    const folders = Object.fromEntries(
      Object.entries(FOLLOWED).map(([name, { given = {} }]) => [name, [folderOf(name), given]]),
    );
    await writeFile(bench.at("jobs.json"), JSON.stringify({ ids, folders }));
    const theirs = (await python(GENERATE, [bench.folder, bench.at("jobs.json")])) as Record<string, number[][]>;
    const seen = new Set<string>();
    for (const [name, { flags = [] }] of Object.entries(FOLLOWED)) {
      const expected = theirs[name]!.map((row) => tokenizer.decode(row).trim());
      expect(await written("--model", folderOf(name), ...flags), name).toEqual(expected);
      seen.add(JSON.stringify(expected));
    }
    // the files make a difference
    expect(seen.size).toBeGreaterThan(Object.keys(FOLLOWED).length - 4);
  });

  test("is scored by, travels with what is exported, and gives the same there", async () => {
    const model = folderOf("beams");
    const file = await readFile(`${model}/generation_config.json`, "utf8");
    const ours = await written("--model", model);
    for (const format of ["merged", "onnx"]) {
      await succeed("export", "--model", model, "--format", format, "--output", bench.at(format), "-q");
      expect(await readFile(bench.at(format, "generation_config.json"), "utf8")).toBe(file);
    }
    expect(await written("--model", bench.at("merged"))).toEqual(ours);
    // the data hold what the model writes with its file: it is right about all of them, and without the file not
    const rows = texts.map((text, i) => JSON.stringify({ source: text, target: ours[i] }));
    await writeFiles(bench.at("scored"), { "dev.jsonl": `${rows.join("\n")}\n` });
    const evaluate = async (folder: string) => {
      const data = ["--task", "seq2seq", "--data", bench.at("scored"), "--split", "dev", "--json", "--threads", "1"];
      return (JSON.parse(await succeed("eval", "--model", folder, ...data)) as { metrics: Record<string, number> })
        .metrics;
    };
    const withFile = await evaluate(bench.at("merged"));
    await rm(bench.at("merged/generation_config.json"));
    expect(Object.values(withFile)[0]).toBeGreaterThan(Object.values(await evaluate(bench.at("merged")))[0]!);
  });

  test("draws where it says so, by the seed, and like greedy with top_k 1", async () => {
    const folder = bench.at("drawn");
    const rewrite = (config: Json) =>
      writeFiles(folder, { "generation_config.json": JSON.stringify({ ...IDS, max_new_tokens: 8, ...config }) });
    for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
      await writeFiles(folder, { [name]: await readFile(bench.at("base", name)) });
    await rewrite({});
    const greedy = await written("--model", folder);
    await rewrite({ do_sample: true, top_k: 1 });
    expect(await written("--model", folder)).toEqual(greedy);
    await rewrite({ do_sample: true, temperature: 3.0 });
    const drawn = await written("--model", folder, "--seed", "1");
    expect(drawn).not.toEqual(greedy);
    expect(await written("--model", folder, "--seed", "1")).toEqual(drawn);
    expect(await written("--model", folder, "--seed", "2")).not.toEqual(drawn);
    expect(await written("--model", folder, "--top-k", "1")).toEqual(greedy);
    await rewrite({ do_sample: true, num_beams: 3 });
    expect(await refused("predict", "--model", folder, "--text", "a film")).toContain("Give --num-beams 1");
    await succeed("predict", "--model", folder, "--num-beams", "1", "--text", "a film");
  });

  describe("a run", () => {
    test("keeps its own choices, and follows what no flag says", async () => {
      await writeFiles(bench.at("texts"), { "train.jsonl": tinySeq2seq(16, 1), "dev.jsonl": tinySeq2seq(4, 2) });
      const short = ["--max-steps", "1", "--batch-size", "8", "--max-target-length", "6", "--threads", "1", "-q"];
      const train = [
        "train",
        "--model",
        folderOf("beams"),
        "--task",
        "seq2seq",
        "--data",
        bench.at("texts"),
        "--method",
        "lora",
      ];
      await succeed(...train, ...short, "--output", bench.at("run"));
      const plain = await written(bench.at("run"));
      const base = `${folderOf("beams")}/generation_config.json`;
      await writeFile(base, JSON.stringify({ ...IDS, num_beams: 4 }));
      expect(await written(bench.at("run"))).toEqual(plain);
      await writeFile(base, JSON.stringify({ ...IDS, num_beams: 4, forced_bos_token_id: 9 }));
      expect(await written(bench.at("run"))).not.toEqual(plain);
    });
  });

  test("what is not built, and what is malformed, is told in one error", async () => {
    const wrong = {
      guidance_scale: 2.0,
      stop_strings: ["."],
      num_beam_groups: 2,
      num_beams: 0,
      bad_words_ids: [[99999]],
      early_stopping: "sometimes",
      forced_bos_token_id: [1, 2],
      repetition_penalty: 0,
    };
    const file = `${folderOf("length")}/generation_config.json`;
    await writeFile(file, JSON.stringify({ ...IDS, ...wrong }));
    const err = await refused("predict", "--model", folderOf("length"), "--text", "a film");
    for (const key of Object.keys(wrong)) expect(err).toContain(`generation_config.json, ${key}: expected`);
    expect(err).toContain("guidance_scale: expected null, as it is not built, got 2");
    // as the hint says
    await writeFile(
      file,
      JSON.stringify({ ...IDS, ...Object.fromEntries(Object.keys(wrong).map((key) => [key, null])) }),
    );
    const { code } = await deft("predict", "--model", folderOf("length"), "--text", "a film");
    expect(code).toBe(0);
  });
});
