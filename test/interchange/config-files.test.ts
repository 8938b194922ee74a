// Configuration files that are copied keep their number literals, and transformers' strict classes load what is written here.
import { readFile, writeFile } from "node:fs/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { python } from "../hub/python.ts";
import { describeWithPython } from "../support/python.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { Bench, succeed } from "./interchange.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** Saves `base` again as transformers writes it, with floats that are whole numbers. */
const SAVE = `
import json, sys, transformers
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification
folder, over = sys.argv[1], json.loads(sys.argv[2])
config = AutoConfig.from_pretrained(folder)
for key, value in over.items(): setattr(config, key, value)
cls = AutoModelForSeq2SeqLM if config.model_type == "t5" else AutoModelForSequenceClassification
cls.from_pretrained(folder, config=config).save_pretrained(folder)
print("null")`;

const LOAD = `
import json, sys, transformers
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, GenerationConfig
seen = {}
for folder in sys.argv[1:]:
    config = AutoConfig.from_pretrained(folder)
    cls = AutoModelForSeq2SeqLM if config.model_type == "t5" else AutoModelForSequenceClassification
    try: model, info = cls.from_pretrained(folder, output_loading_info=True)
    except OSError: info = {"missing_keys": []}  # a folder of ONNX files alone
    seen[folder] = {"missing": sorted(info["missing_keys"]), "types": {k: type(v).__name__ for k, v in config.to_dict().items()}}
print(json.dumps(seen))`;

/** Number literals of a JSON file by key, at any depth. */
async function literals(path: string): Promise<ReadonlyMap<string, string>> {
  const found = (await readFile(path, "utf8")).matchAll(/"(\w+)": (-?[\d.eE+-]+)/g);
  return new Map([...found].map(([, key, literal]) => [key!, literal!]));
}

/** Expects the file to say what `from` says, number by number, where it has the same keys; gives the shared keys. */
async function expectLiterals(path: string, from: string, changed: readonly string[] = []): Promise<readonly string[]> {
  const [ours, theirs] = [await literals(path), await literals(from)];
  const shared = [...theirs].filter(([key]) => ours.has(key) && !changed.includes(key));
  expect(Object.fromEntries(shared.map(([key]) => [key, ours.get(key)])), path).toEqual(Object.fromEntries(shared));
  return shared.map(([key]) => key);
}

/** A length that nobody set, as transformers writes it. */
const NO_LENGTH = '"model_max_length": 1000000000000000019884624838656';

interface Loaded {
  readonly missing: readonly string[];
  readonly types: Readonly<Record<string, string>>;
}

describeWithPython("configuration files of exports", () => {
  const t5 = new Bench("literals-t5");
  const bert = new Bench("literals-bert");

  beforeAll(async () => {
    await writeTinyT5(t5.at("base"), { config: { tie_word_embeddings: true } });
    await writeFiles(t5.at("texts"), { "train.jsonl": tinySeq2seq(16, 1), "dev.jsonl": tinySeq2seq(4, 2) });
    await writeFile(t5.at("base/tokenizer_config.json"), `{"tokenizer_class": "T5Tokenizer", ${NO_LENGTH}}`);
    const floats = { dropout_rate: 0, classifier_dropout: 1, initializer_factor: 1, layer_norm_epsilon: 1e-6 };
    await python(SAVE.replace("value)", "float(value))"), [t5.at("base"), JSON.stringify(floats)]);
    await writeTinyModel(bert.at("base"), { headLabels: 2 });
    await writeTinySst2(bert.at("sst2"), { train: 16, dev: 4 });
    const rates = {
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      classifier_dropout: 0,
      initializer_range: 1,
    };
    await python(SAVE.replace("value)", "float(value))"), [bert.at("base"), JSON.stringify(rates)]);
    await writeFile(bert.at("base/tokenizer_config.json"), `{"tokenizer_class": "BertTokenizer", ${NO_LENGTH}}`);
  });

  test("T5: merged, ONNX, compressed and pruned", async () => {
    const model = ["--model", t5.at("base")];
    await succeed("export", ...model, "--format", "merged", "--output", t5.at("merged"), "-q");
    await succeed("export", ...model, "--format", "onnx", "--output", t5.at("onnx"), "-q");
    const data = ["--task", "seq2seq", "--data", t5.at("texts"), "--threads", "1", "-q"];
    await succeed("compress", ...model, ...data, "--skip", "decoder.1", "--output", t5.at("small"));
    await succeed("compress", ...model, "--prune", "magnitude:0.5", "--output", t5.at("pruned"), "-q");
    const folders = ["merged", "onnx", "small", "pruned"].map((name) => t5.at(name));
    for (const folder of folders) {
      const shared = await expectLiterals(`${folder}/config.json`, t5.at("base/config.json"));
      expect(await readFile(`${folder}/tokenizer_config.json`, "utf8")).toContain(NO_LENGTH);
      expect(shared).toEqual(
        expect.arrayContaining(["initializer_factor", "dropout_rate", "layer_norm_epsilon", "classifier_dropout"]),
      );
    }
    // a folder written by an earlier version, with 1 for 1.0, is mended on its way
    const text = await readFile(t5.at("base/config.json"), "utf8");
    await writeFiles(t5.at("old"), {
      "config.json": text.replaceAll(/: (\d+)\.0\b/g, ": $1"),
      "tokenizer.json": await readFile(t5.at("base/tokenizer.json")),
      "model.safetensors": await readFile(t5.at("base/model.safetensors")),
    });
    await succeed("export", "--model", t5.at("old"), "--format", "merged", "--output", t5.at("mended"), "-q");
    const loaded = (await python(LOAD, [...folders, t5.at("mended")])) as Record<string, Loaded>;
    for (const [folder, { missing, types }] of Object.entries(loaded)) {
      // transformers has no form for a layer without an MLP
      if (folder !== t5.at("small")) expect(missing).toEqual([]);
      expect(types).toMatchObject({ initializer_factor: "float", dropout_rate: "float", classifier_dropout: "float" });
    }
  });

  test("BERT: merged, ONNX, quantised and of a run", async () => {
    const model = ["--model", bert.at("base")];
    await succeed("export", ...model, "--format", "merged", "--output", bert.at("merged"), "-q");
    await succeed("export", ...model, "--format", "onnx", "--output", bert.at("onnx"), "-q");
    await succeed("export", ...model, "--format", "merged", "--quantize", "nf4", "--output", bert.at("nf4"), "-q");
    const data = ["--task", "sst2", "--data", bert.at("sst2"), "--max-steps", "2", "--threads", "1", "-q"];
    await succeed("train", ...model, ...data, "--output", bert.at("run"));
    await succeed("export", bert.at("run"), "--format", "merged", "--output", bert.at("tuned"), "-q");
    for (const folder of ["merged", "onnx", "nf4", "tuned"]) {
      const shared = await expectLiterals(bert.at(folder, "config.json"), bert.at("base/config.json"));
      expect(shared).toEqual(
        expect.arrayContaining(["hidden_dropout_prob", "classifier_dropout", "initializer_range"]),
      );
    }
    const loaded = (await python(
      LOAD,
      ["merged", "onnx", "tuned"].map((name) => bert.at(name)),
    )) as Record<string, Loaded>;
    for (const { missing, types } of Object.values(loaded)) {
      expect(missing).toEqual([]);
      expect(types).toMatchObject({
        hidden_dropout_prob: "float",
        classifier_dropout: "float",
        initializer_range: "float",
      });
    }
    // the model's own positions stand where nobody set a length
    for (const folder of ["merged", "onnx"])
      expect(await readFile(bert.at(folder, "tokenizer_config.json"), "utf8")).toContain('"model_max_length": 66');
  });
});
