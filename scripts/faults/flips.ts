// Flipped bits: each file of a checkpoint, an adapter, a plan, a compressed model and a converted copy, one bit at a time.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DeftError } from "../../src/errors.ts";
import { float32Checkpoint, openCheckpoint, openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { openBaseModel } from "../../src/load/index.ts";
import { readTrainedPart } from "../../src/load/trained-part.ts";
import { anyModel } from "../../src/models/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { readPlan } from "../../src/runs/index.ts";
import { randomStream, type Tensor } from "../../src/tensor/index.ts";
import { loadCheckpoint } from "../../src/train/checkpoint.ts";
import { afterTraining, deft, files } from "./subjects.ts";

/** What is damaged, and its reader, which must fail, or mend it as `mends` says. */
interface Target {
  readonly name: string;
  readonly files: readonly string[];
  readonly read: () => Promise<unknown>;
  /** Whether a damaged file was made again. */
  readonly mends?: (result: unknown) => boolean;
}

/** Flips `flips` bits, each alone; gives how many of which kind were noticed. */
export async function flipped(folder: string, flips: number, seed: number): Promise<string> {
  const { compress } = afterTraining(folder);
  const small = join(folder, "small");
  const { code, err } = await deft(folder, compress.argv(small));
  if (code !== 0) throw new Error(`expected a compressed model, got\n${err}`);
  const targets = await targetsIn(folder, small);
  for (const { read } of targets) await read();
  const random = randomStream(seed, "flips");
  const counts = new Map<string, number>();
  for (let flip = 0; flip < flips; flip++) {
    const { name, files: paths, read, mends } = targets[flip % targets.length]!;
    const path = paths[random.integer(paths.length)]!;
    const whole = await readFile(path);
    const bit = random.integer(whole.length * 8);
    const damaged = Buffer.from(whole);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    await writeFile(path, damaged);
    const result = await read().catch((reason: unknown) => reason);
    const isNoticed = mends ? mends(result) : result instanceof DeftError && result.message.includes(basename(path));
    if (!isNoticed) throw new Error(`${name}: bit ${bit} of ${path} was not noticed: ${String(result).slice(0, 300)}`);
    if (!mends) await writeFile(path, whole);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  await rm(small, { recursive: true });
  const list = [...counts].map(([name, count]) => `${name} ${count}`);
  return `flipped bits: ${flips} of ${flips} noticed by name (${list.join(", ")})`;
}

async function targetsIn(folder: string, small: string): Promise<Target[]> {
  const environment = { ...nodeEnvironment(), cacheFolder: join(folder, "cache") };
  const below = async (place: string) =>
    (await readdir(place)).filter((name) => !name.startsWith(".")).map((name) => join(place, name));
  const checkpoints = join(folder, "run/checkpoints");
  const step = Math.max(...(await readdir(checkpoints)).map((name) => Number(name.slice(5))));
  const stored = await openSafetensors(files, join(checkpoints, `step-${step}/trainable.safetensors`));
  const names = { trained: [...stored.keys()], buffers: [] };
  const base = await openBaseModel(environment, join(folder, "model"));
  const converted = await halfModel(folder);
  const copy = await float32Checkpoint(files, await openSafetensors(files, converted), join(folder, "cache"));
  const modelFiles = ["config.json", "model.safetensors", "tokenizer.json", "deft.sha256"];
  return [
    {
      name: "checkpoint",
      files: await below(join(checkpoints, `step-${step}`)),
      read: () => loadCheckpoint(files, checkpoints, step, names),
    },
    {
      name: "adapter",
      files: await below(join(folder, "run/adapter")),
      read: () => readTrainedPart(files, join(folder, "run/adapter"), base),
    },
    { name: "plan", files: [join(small, "plan.json"), join(small, "plan.safetensors")], read: await planReader(small) },
    {
      name: "compressed model",
      files: modelFiles.map((name) => join(small, name)),
      read: () => openBaseModel(environment, small),
    },
    {
      name: "converted weights",
      files: [copy.file!],
      read: async () => float32Checkpoint(files, await openSafetensors(files, converted), join(folder, "cache")),
      mends: (result) => (result as { wasDamaged?: boolean }).wasDamaged === true,
    },
  ];
}

/** A checkpoint in float16, which is converted into the cache. */
async function halfModel(folder: string): Promise<string> {
  const path = join(folder, "half.safetensors");
  const half: Tensor = {
    dtype: "float16",
    shape: [40, 50],
    data: Uint16Array.from({ length: 2000 }, (_, i) => 15_000 + i),
  };
  await writeFile(path, safetensorsBytes(new Map([["w", half]])));
  return path;
}

/** A reader of a compressed model's plan, for the model that it is of. */
async function planReader(small: string): Promise<() => Promise<unknown>> {
  const path = join(small, "plan.json");
  const plan = JSON.parse(await files.readText(path)) as { base: never; adapter: never; layers: { neurons: number }[] };
  const { config, weights } = await openCheckpoint(files, small);
  const { mlps, config: of } = anyModel(config, path, weights);
  const sites = mlps.map((site, i) => ({ ...site, neurons: plan.layers[i]!.neurons }));
  return () => readPlan(files, path, { base: plan.base, adapter: plan.adapter, sites, hiddenSize: of.hiddenSize });
}
