// The folder of a compressed model: what may be there before, and everything written or nothing that is taken for a model.
import { ConfigError } from "../../errors.ts";
import { jsonText } from "../../hub/index.ts";
import { type MergedModel, writeBeside, writePlainModel } from "../../load/index.ts";
import { applyPlan, type LayerPlan, type PlainModel, type Plan } from "../../prune/index.ts";
import {
  COMPRESSION_FILE,
  type Compression,
  checkUnlocked,
  clearUnfinished,
  DECODING_FILE,
  type Environment,
  fillFolder,
  isUnfinished,
  LOCK_FILE,
  PRUNING_FILE,
  type Pruning,
  pruningText,
  type StoredDecoding,
  writePlan,
} from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import { zerosKept } from "../prune/pruned-model.ts";

export const SEARCH_FILE = "search.jsonl";
export const RECOVERY_FOLDER = "recovery";
/** What a compression that was stopped may leave, and goes on with. */
const UNFINISHED: readonly string[] = [SEARCH_FILE, RECOVERY_FOLDER, LOCK_FILE];

/** What was made, as far as it is written. */
interface Written {
  readonly plan: Plan;
  readonly smaller: PlainModel;
  readonly decoding: StoredDecoding | null;
}

/** A folder of a search or recovery that was stopped is gone on with; anything else there is kept from harm. */
export async function checkOutput({ files }: Environment, output: string): Promise<void> {
  const stat = await files.stat(output);
  if (stat === null) return;
  if (stat.isFolder) await checkUnlocked(files, output);
  if (stat.isFolder && (await isUnfinished(files, output))) return;
  const taken = stat.isFolder ? (await files.list(output)).filter((name) => !UNFINISHED.includes(name)) : ["a file"];
  if (taken.length === 0) return;
  throw new ConfigError([
    {
      path: "--output",
      expected: "a new folder",
      got: `${output}, which ${stat.isFolder ? `holds ${taken[0]}` : "is a file"}`,
    },
  ]);
}

/** Removes what a process left that ended while it wrote; measurements and a recovery stay. */
export async function clearOutput({ files }: Environment, output: string): Promise<void> {
  if (await isUnfinished(files, output)) await clearUnfinished(files, output, UNFINISHED);
}

/** Writes the smaller model with its plan, its record and the events: all of it, or a folder that is known as unfinished. */
export async function writeCompressed(
  environment: Environment,
  frozen: MergedModel,
  { plan, smaller, decoding }: Written,
  compression: Compression,
  lines: readonly string[],
): Promise<void> {
  const { files } = environment;
  // what was measured and is now read again must be one model
  await frozen.opened.base.checkUnchanged();
  const pruning = await pruningOf(frozen, smaller, plan.layers);
  await fillFolder(files, compression.folder, "config.json", async (folder) => {
    await writePlainModel(files, folder, smaller, frozen.opened.base);
    if (pruning !== null) await files.write(joinPath(folder, PRUNING_FILE), pruningText(pruning));
    if (smaller.beside) await writeBeside(environment, folder, smaller.beside, frozen, compression.folder);
    await writePlan(files, folder, plan);
    if (decoding !== null) await files.write(joinPath(folder, DECODING_FILE), jsonText({ ...decoding }));
    await files.write(joinPath(folder, COMPRESSION_FILE), jsonText({ ...compression }));
    await files.write(joinPath(folder, "events.jsonl"), lines.join(""));
  });
}

/** A pruned base's record for the smaller model; null for other bases, and where zeros were filled. */
async function pruningOf(
  { config, opened: { base } }: MergedModel,
  smaller: PlainModel,
  layers: readonly LayerPlan[],
): Promise<Pruning | null> {
  if (base.pruning === null) return null;
  const cut = layers.map(({ out: _out, ...layer }) => ({ ...layer, gate: 1, constant: null }));
  const { weights } = applyPlan({ config, weights: base.weights }, base.model.mlps, cut);
  return (await zerosKept(base.pruning, weights, smaller.weights)).pruning;
}
