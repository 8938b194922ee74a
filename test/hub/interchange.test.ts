// Files written here are read by Python's own libraries, and theirs are read here.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import {
  fingerprint,
  float32Checkpoint,
  openCheckpoint,
  openSafetensors,
  openTorchFile,
  safetensorsBytes,
  toFloat32,
} from "../../src/hub/index.ts";
import { type BottleneckAdapter, readAdapter, writeAdapter } from "../../src/peft/index.ts";
import { type DType, float32, type Tensor, tensor } from "../../src/tensor/index.ts";
import { describeWithAdapters, describeWithPython } from "../support/python.ts";
import { python } from "./python.ts";

// torch alone takes seconds to import on a busy machine
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const files = nodeFiles();
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "deft-interchange-"));
});
afterAll(() => rm(root, { recursive: true }));

const numbers = ({ data }: Tensor) => Array.from(data, Number);

const BERT = `
import json, sys, torch
from transformers import BertConfig, BertForSequenceClassification
torch.manual_seed(0)
config = BertConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, max_position_embeddings=20)
model = BertForSequenceClassification(config)
root = sys.argv[1]
`;

describeWithPython("safetensors and Python", () => {
  const dtypes: DType[] = [
    "float32",
    "float16",
    "bfloat16",
    "float64",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
  ];
  const bytes = Uint8Array.from({ length: 48 }, (_, i) => (i % 8 === 7 ? 0x3c : i % 2));
  const tensors = new Map<string, Tensor>(
    dtypes.map((dtype, i) => {
      const width = { float32: 4, float64: 8, int64: 8, int32: 4, int8: 1, uint8: 1, bool: 1 }[dtype as string] ?? 2;
      const shape = i % 2 === 0 ? [48 / width] : [2, 24 / width];
      const views = {
        float32: Float32Array,
        float64: Float64Array,
        int64: BigInt64Array,
        int32: Int32Array,
        int16: Int16Array,
        int8: Int8Array,
        uint8: Uint8Array,
      };
      const content = dtype === "bool" ? bytes.map((b) => b & 1) : bytes.slice();
      const View = views[dtype as keyof typeof views] ?? (width === 1 ? Uint8Array : Uint16Array);
      return [`t.${dtype}`, tensor(dtype, shape, new View(content.buffer))] as const;
    }),
  );

  it("reads ours, and writes the very same bytes", async () => {
    const path = join(root, "ours.safetensors");
    await files.write(path, safetensorsBytes(new Map([...tensors, ["empty", float32([0, 3], [])]])));
    const seen = await python(
      `
import json, sys, torch
from safetensors.torch import load_file, save_file
from safetensors import safe_open
tensors = load_file(sys.argv[1])
with safe_open(sys.argv[1], "pt") as f: metadata = f.metadata()
save_file(tensors, sys.argv[2], metadata)
print(json.dumps({"metadata": metadata, "shapes": {k: [str(v.dtype)[6:], list(v.shape)] for k, v in tensors.items()}}))`,
      [path, join(root, "theirs.safetensors")],
    );
    const shapes = Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, [dtype, shape]]));
    expect(seen).toEqual({ metadata: { format: "pt" }, shapes: { ...shapes, empty: ["float32", [0, 3]] } });
    const theirs = await openSafetensors(files, join(root, "theirs.safetensors"));
    for (const [name, expected] of tensors) expect(await theirs.get(name)!.read()).toEqual(expected);
    expect(await readFile(path)).toEqual(await readFile(join(root, "theirs.safetensors")));
  });
});

describeWithPython("checkpoints written by transformers", () => {
  beforeAll(async () => {
    await python(
      `${BERT}
model.save_pretrained(f"{root}/one")
model.save_pretrained(f"{root}/shards", max_shard_size="10KB")
config.save_pretrained(f"{root}/bin"); torch.save(model.state_dict(), f"{root}/bin/pytorch_model.bin")
model.bfloat16().save_pretrained(f"{root}/bf16")
base = torch.arange(24.).reshape(4, 6)
torch.save({"t": base.t(), "part": base[1:3, 2:5], "p": torch.nn.Parameter(base), "h": base.half(), "b": base.bfloat16() / 3,
            "i": torch.arange(5), "flag": torch.tensor([True, False]), "s": torch.tensor(2.5), "e": torch.empty(0, 3)}, f"{root}/odd.bin")
torch.save({"model": model}, f"{root}/object.bin")
torch.save(model.state_dict(), f"{root}/old.bin", _use_new_zipfile_serialization=False)
print("null")`,
      [root],
    );
  });

  it("have the same weights in one file, in shards and as .bin", async () => {
    const one = await openCheckpoint(files, join(root, "one"));
    expect(one.config.model_type).toBe("bert");
    const print = await fingerprint(files, one.weights);
    const shards = await openCheckpoint(files, join(root, "shards"));
    expect(shards.files.length).toBeGreaterThan(1);
    expect(await fingerprint(files, shards.weights)).toBe(print);
    const bin = await openCheckpoint(files, join(root, "bin"));
    const named = new Map([...bin.weights].filter(([name]) => one.weights.has(name)));
    expect(await fingerprint(files, named)).toBe(print);
    expect([...named.values()].every(({ span }) => span !== undefined)).toBe(true);
  });

  it("are converted once when they are bfloat16", async () => {
    const { weights } = await openCheckpoint(files, join(root, "bf16"));
    const converted = await float32Checkpoint(files, weights, join(root, "cache"));
    expect(converted.wasCached).toBe(false);
    expect((await float32Checkpoint(files, weights, join(root, "cache"))).wasCached).toBe(true);
    const name = "bert.encoder.layer.1.output.dense.weight";
    expect(await converted.weights.get(name)!.read()).toEqual(toFloat32(await weights.get(name)!.read()));
    const [file, note, ...more] = await files.list(join(root, "cache"));
    expect([note, more]).toEqual([`${file}.digest.json`, []]);
  });

  it("may hold views, half precision and scalars in a .bin", async () => {
    const path = join(root, "odd.bin");
    const weights = await openTorchFile(files, path, (await files.stat(path))!.sizeBytes);
    const read = async (name: string) => weights.get(name)!.read();
    expect(await read("t")).toEqual(
      float32(
        [6, 4],
        Array.from({ length: 24 }, (_, i) => (i % 4) * 6 + Math.floor(i / 4)),
      ),
    );
    expect(numbers(await read("part"))).toEqual([8, 9, 10, 14, 15, 16]);
    expect(numbers(await read("p"))).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(numbers(toFloat32(await read("h")))).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(numbers(toFloat32(await read("b")))[3]).toBe(1);
    expect(numbers(await read("i"))).toEqual([0, 1, 2, 3, 4]);
    expect(numbers(await read("flag"))).toEqual([1, 0]);
    expect(await read("s")).toEqual(float32([], [2.5]));
    expect(await read("e")).toEqual(float32([0, 3], []));
  });

  it.each([
    ["object.bin", "save_pretrained"],
    ["old.bin", "torch.save(torch.load("],
  ])("are refused as %s, with the way to convert", async (name, way) => {
    const path = join(root, name);
    await expect(openTorchFile(files, path, (await files.stat(path))!.sizeBytes)).rejects.toThrow(way);
  });
});

const LOGITS = `
inputs = torch.arange(12).reshape(2, 6)
def logits(m):
    with torch.no_grad(): return m.eval()(input_ids=inputs).logits.flatten().tolist()
model.save_pretrained(f"{root}/base")
`;

describeWithPython("LoRA and Python's peft", () => {
  const biases = ["none", "all", "lora_only"] as const;

  it("reads peft's, and writes what peft computes the same with", async () => {
    const before = await python(
      `${BERT}${LOGITS}
from peft import LoraConfig, get_peft_model
seen = {}
for bias in ["none", "all", "lora_only"]:
    model = BertForSequenceClassification.from_pretrained(f"{root}/base")
    tuned = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=4, lora_dropout=0.1, target_modules=["query", "dense"], bias=bias, use_rslora=True))
    for name, p in tuned.named_parameters():
        if p.requires_grad: torch.nn.init.normal_(p, std=0.2)
    tuned.save_pretrained(f"{root}/peft-{bias}")
    seen[bias] = logits(tuned)
print(json.dumps(seen))`,
      [root],
    );
    for (const bias of biases) {
      const adapter = await readAdapter(files, join(root, `peft-${bias}`));
      expect(adapter.method).toBe("lora");
      expect(adapter.config).toMatchObject({
        rank: 2,
        alpha: 4,
        dropout: 0.1,
        rsLora: true,
        bias,
        taskType: "SEQ_CLS",
      });
      expect(adapter.tensors.get("bert.encoder.layer.1.attention.self.query.lora_A.weight")!.shape).toEqual([2, 32]);
      expect(adapter.tensors.get("classifier.weight")!.shape).toEqual([2, 32]);
      expect(adapter.tensors.has("bert.encoder.layer.0.attention.self.query.bias")).toBe(bias !== "none");
      await writeAdapter(files, join(root, `ours-${bias}`), adapter);
    }
    const after = await python(
      `${BERT}${LOGITS}
import warnings
from peft import PeftModel
seen, missing = {}, []
for bias in ["none", "all", "lora_only"]:
    model = BertForSequenceClassification.from_pretrained(f"{root}/base")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen[bias] = logits(PeftModel.from_pretrained(model, f"{root}/ours-{bias}"))
    missing += [str(w.message) for w in caught if "missing" in str(w.message).lower()]
print(json.dumps({"logits": seen, "missing": missing}))`,
      [root],
    );
    expect(after).toEqual({ logits: before, missing: [] });
  });
});

describeWithAdapters("bottlenecks and AdapterHub's adapters", (interpreter) => {
  it("reads theirs, and writes what they compute the same with", async () => {
    const shared = `${BERT}${LOGITS}
import adapters
kinds = ["seq_bn", "double_seq_bn"]
def fresh():
    model = BertForSequenceClassification.from_pretrained(f"{root}/base")
    adapters.init(model)
    return model
seen = {}
for kind in kinds:
    model = fresh()`;
    const before = await python(
      `${shared}
    model.add_adapter("sst2", config=kind); model.set_active_adapters("sst2")
    for name, p in model.named_parameters():
        if ".adapters." in name or name.startswith("classifier"): torch.nn.init.normal_(p, std=0.2)
    model.save_adapter(f"{root}/hub-{kind}", "sst2", use_safetensors=True)
    model.save_head(f"{root}/hub-{kind}", use_safetensors=True)
    model.save_adapter(f"{root}/hubbin-{kind}", "sst2"); model.save_head(f"{root}/hubbin-{kind}")
    seen[kind] = logits(model)
print(json.dumps(seen))`,
      [root],
      { interpreter },
    );
    for (const kind of ["seq_bn", "double_seq_bn"]) {
      const adapter = (await readAdapter(files, join(root, `hub-${kind}`))) as BottleneckAdapter;
      const placement = kind === "seq_bn" ? "pfeiffer" : "houlsby";
      expect(adapter.config).toMatchObject({ placement, reductionFactor: 16, name: "sst2" });
      expect(adapter.tensors.get("bert.encoder.layer.1.output.adapter_down.weight")!.shape).toEqual([2, 32]);
      expect(await readAdapter(files, join(root, `hubbin-${kind}`))).toEqual(adapter);
      await writeAdapter(files, join(root, `ours-${kind}`), adapter);
    }
    const after = await python(
      `${shared}
    model.load_adapter(f"{root}/ours-{kind}", use_safetensors=True, set_active=True)
    model.load_head(f"{root}/ours-{kind}", use_safetensors=True)
    seen[kind] = logits(model)
print(json.dumps(seen))`,
      [root],
      { interpreter },
    );
    expect(after).toEqual(before);
  });
});
