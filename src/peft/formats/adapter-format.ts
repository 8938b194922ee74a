// Adapter folders on disk: peft's and AdapterHub's layouts, told apart by what they hold.
import { type CheckpointIssue, FileError } from "../../errors.ts";
import {
  type JsonObject,
  jsonText,
  openSafetensors,
  openTorchFile,
  readJsonObject,
  safetensorsBytes,
  wrongFolder,
} from "../../hub/index.ts";
import { type Files, joinPath, nearestPath, type Tensor, type Weights } from "../../tensor/index.ts";
import type { AdapterLibrary } from "../record.ts";
import { type Adapter, type AnyRecord, METHOD_RECORDS, recordOf } from "../table.ts";
import { otherMethod } from "./peft-format.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS: Readonly<Record<AdapterLibrary, readonly string[]>> = {
  peft: ["adapter_model.safetensors", "adapter_model.bin"],
  adapters: ["adapter.safetensors", "pytorch_adapter.bin"],
};
// AdapterHub refuses `"scaling": 1`
const FLOATS = ["scaling", "dropout", "stochastic_depth", "lora_dropout"];
const HUB_HEADS = ["model_head.safetensors", "pytorch_model_head.bin"];

/**
 * Writes an adapter folder that peft (LoRA, prompt, prefix) or AdapterHub's `adapters` (bottleneck; with `use_safetensors=True`) loads.
 * Weights are written before the configuration, so a folder with a configuration is whole.
 * @throws {FileError} when the folder cannot be written.
 */
export async function writeAdapter(files: Files, folder: string, adapter: Adapter): Promise<void> {
  const write = async (weights: string, tensors: ReadonlyMap<string, Tensor>, name: string, config: JsonObject) => {
    await files.write(joinPath(folder, weights), safetensorsBytes(tensors));
    await files.write(joinPath(folder, name), jsonText(config, { floats: FLOATS }));
  };
  const format = recordOf({ kind: adapter.method }).format!;
  const { config, tensors, head } = format.toFiles(adapter);
  if (head) await write(HUB_HEADS[0]!, head.tensors, "head_config.json", head.config);
  await write(WEIGHTS[format.library][0]!, tensors, CONFIG, config);
}

/**
 * Reads an adapter folder in peft's or AdapterHub's layout, from safetensors or, if there is none, `.bin`. Tensors that do not fit
 * its own configuration are added to `misfits` when it is given.
 * @throws {FileError} when the folder or one of its files is missing, {DataError} when a JSON file is broken.
 * @throws {UnsupportedError} | {ConfigError} | {CheckpointError} as the method's `fromFiles`.
 */
export async function readAdapter(files: Files, folder: string, misfits?: CheckpointIssue[]): Promise<Adapter> {
  const hint =
    "An adapter folder holds adapter_config.json and adapter_model.safetensors (peft) or adapter.safetensors.";
  if ((await files.stat(folder)) === null) {
    const near = await nearestPath(files, folder);
    const meant = near === null ? hint : `Did you mean ${near}? ${hint}`;
    throw new FileError(folder, "expected an adapter folder, got nothing there", { hint: meant });
  }
  const file = joinPath(folder, CONFIG);
  const wrong = (await files.stat(file)) === null ? await wrongFolder(files, folder, "adapter") : null;
  if (wrong) throw new FileError(folder, `expected an adapter folder, got ${wrong.got}`, { hint: wrong.hint });
  const config = await readJsonObject(files, folder, CONFIG, hint);
  if ("peft_type" in config) {
    const stored = { config, tensors: await readTensors(files, folder, WEIGHTS.peft) };
    return formatOf(file, config.peft_type).fromFiles(stored, file, misfits);
  }
  const tensors = await readTensors(files, folder, WEIGHTS.adapters);
  const hasHead = (await files.stat(joinPath(folder, "head_config.json"))) !== null;
  const head = hasHead
    ? {
        config: await readJsonObject(files, folder, "head_config.json", hint),
        tensors: await readTensors(files, folder, HUB_HEADS),
      }
    : null;
  return HUB.fromFiles({ config, tensors, head }, file, misfits);
}

type Format = NonNullable<AnyRecord["format"]>;

const FORMATS: readonly Format[] = METHOD_RECORDS.flatMap(({ format }) => format ?? []);
/** The one method in AdapterHub's files, which do not say which method they are of. */
const HUB = FORMATS.find(({ library }) => library === "adapters")!;

/** The format of peft's files that bear this `peft_type`. */
function formatOf(file: string, type: unknown): Format {
  const found = FORMATS.find(({ peftTypes }) => peftTypes.some((known) => known === type));
  if (found) return found;
  throw otherMethod(
    file,
    type,
    FORMATS.flatMap(({ peftTypes }) => peftTypes),
  );
}

async function readTensors(files: Files, folder: string, names: readonly string[]): Promise<Map<string, Tensor>> {
  for (const name of names) {
    const path = joinPath(folder, name);
    const stat = await files.stat(path);
    if (stat === null) continue;
    const weights: Weights = name.endsWith(".bin")
      ? await openTorchFile(files, path, stat.sizeBytes)
      : await openSafetensors(files, path);
    const tensors = new Map<string, Tensor>();
    for (const [tensorName, weight] of weights) tensors.set(tensorName, await weight.read());
    return tensors;
  }
  throw new FileError(folder, `expected ${names.join(" or ")}, got neither`, {
    hint: "Copy the whole adapter folder.",
  });
}
