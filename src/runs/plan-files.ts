// A plan as files: what was decided as JSON, and beside it the matrices that were fitted again.

import { ConfigError, type ConfigIssue } from "../errors.ts";
import { checkSums, jsonText, openSafetensors, parseJson, writeSafetensors } from "../hub/index.ts";
import {
  keptCount,
  type LayerPlan,
  type Plan,
  type PlanTarget,
  parsePlan,
  type StoredLayerPlan,
} from "../prune/index.ts";
import { type Files, float32, joinPath, memoryWeights, parentFolder, type Tensor } from "../tensor/index.ts";

/** What travels with a compressed model, so that its plan can be applied again. */
export const PLAN_FILES = ["plan.json", "plan.safetensors"] as const;
const [PLAN_FILE, MATRICES_FILE] = PLAN_FILES;

/**
 * Writes `plan.json` and, where outputs were fitted again or activations have thresholds, `plan.safetensors` with each layer's as
 * `SITE.out` `[D, kept]` and `SITE.shift` `[kept]`.
 */
export async function writePlan(files: Files, folder: string, plan: Plan): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (const layer of plan.layers) {
    const { site, out, shift } = layer;
    const kept = keptCount(layer);
    if (out !== undefined) tensors.set(nameOf(site), float32([out.length / kept, kept], out));
    if (shift !== undefined) tensors.set(shiftOf(site), float32([kept], shift));
  }
  if (tensors.size > 0) await files.write(joinPath(folder, MATRICES_FILE), writeSafetensors(memoryWeights(tensors)));
  const layers = plan.layers.map(({ out, shift, ...layer }) => ({
    ...layer,
    ...(out === undefined ? {} : { refitted: true }),
    ...(shift === undefined ? {} : { shifted: true }),
  }));
  await files.write(joinPath(folder, PLAN_FILE), jsonText({ ...plan, layers }));
}

/**
 * Reads a plan for `target`.
 * @throws {ConfigError} as `parsePlan`, and when a matrix it speaks of is not beside it.
 * @throws {CheckpointError} when it is not as it was written.
 */
export async function readPlan(files: Files, file: string, target: PlanTarget): Promise<Plan> {
  // a plan by another name is somebody's own
  if (file.endsWith(`/${PLAN_FILE}`)) await checkSums(files, parentFolder(file), PLAN_FILES);
  const json = parseJson(file, await files.readText(file));
  const plan = parsePlan(json, target, file);
  // an MLP that goes has no matrix, whatever was fitted before
  const parts = plan.layers.map((layer) => storedParts(layer, target.hiddenSize));
  if (parts.every(({ size }) => size === 0)) return plan;
  const matrices = joinPath(parentFolder(file), MATRICES_FILE);
  if ((await files.stat(matrices)) === null)
    throw new ConfigError([{ path: file, expected: `${MATRICES_FILE} beside it`, got: "nothing" }], {
      hint: "The plan fits output matrices again: keep both files together.",
    });
  const stored = await openSafetensors(files, matrices);
  const issues: ConfigIssue[] = [];
  const layers = await Promise.all(
    plan.layers.map(async ({ refitted: _refitted, shifted: _shifted, ...layer }, i): Promise<LayerPlan> => {
      const read: Record<string, Float32Array> = {};
      for (const [part, { name, shape }] of parts[i]!) {
        const found = stored.get(name);
        if (found !== undefined && found.shape.join() === shape.join())
          read[part] = (await found.read()).data as Float32Array;
        else {
          const got = found === undefined ? "nothing" : `[${found.shape.join(", ")}]`;
          issues.push({ path: `${matrices}.${name}`, expected: `[${shape.join(", ")}]`, got });
        }
      }
      return { ...layer, ...read };
    }),
  );
  if (issues.length > 0) throw new ConfigError(issues);
  return { ...plan, layers };
}

const nameOf = (site: string) => `${site}.out`;
const shiftOf = (site: string) => `${site}.shift`;

/** What lies beside a layer's JSON, by the plan's key of it. */
function storedParts(layer: StoredLayerPlan, hiddenSize: number) {
  const kept = keptCount(layer);
  const parts = new Map<"out" | "shift", { readonly name: string; readonly shape: readonly number[] }>();
  if (layer.refitted === true && kept > 0) parts.set("out", { name: nameOf(layer.site), shape: [hiddenSize, kept] });
  if (layer.shifted === true && kept > 0) parts.set("shift", { name: shiftOf(layer.site), shape: [kept] });
  return parts;
}
