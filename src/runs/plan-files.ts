// A plan as files: what was decided as JSON, and beside it the matrices that were fitted again.

import { ConfigError, type ConfigIssue } from "../errors.ts";
import { checkSums, jsonText, openSafetensors, parseJson, writeSafetensors } from "../hub/index.ts";
import { type LayerPlan, type Plan, type PlanTarget, parsePlan, type StoredLayerPlan } from "../prune/index.ts";
import { type Files, float32, joinPath, memoryWeights, parentFolder } from "../tensor/index.ts";

/** What travels with a compressed model, so that its plan can be applied again. */
export const PLAN_FILES = ["plan.json", "plan.safetensors"] as const;
const [PLAN_FILE, MATRICES_FILE] = PLAN_FILES;

/** Writes `plan.json` and, where outputs were fitted again, `plan.safetensors` with each as `SITE.out` `[D, kept]`. */
export async function writePlan(files: Files, folder: string, plan: Plan): Promise<void> {
  const matrices = new Map(
    plan.layers.flatMap(({ site, out, kept }) =>
      out === undefined ? [] : [[nameOf(site), float32([out.length / kept!.length, kept!.length], out)] as const],
    ),
  );
  if (matrices.size > 0) await files.write(joinPath(folder, MATRICES_FILE), writeSafetensors(memoryWeights(matrices)));
  const layers = plan.layers.map(({ out, ...layer }) => (out === undefined ? layer : { ...layer, refitted: true }));
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
  const isFitted = ({ refitted, kept }: StoredLayerPlan) => refitted === true && kept?.length !== 0;
  if (!plan.layers.some(isFitted)) return plan;
  const matrices = joinPath(parentFolder(file), MATRICES_FILE);
  if ((await files.stat(matrices)) === null)
    throw new ConfigError([{ path: file, expected: `${MATRICES_FILE} beside it`, got: "nothing" }], {
      hint: "The plan fits output matrices again: keep both files together.",
    });
  const stored = await openSafetensors(files, matrices);
  const issues: ConfigIssue[] = [];
  const layers = await Promise.all(
    plan.layers.map(async (stated): Promise<LayerPlan> => {
      const { refitted: _, ...layer } = stated;
      if (!isFitted(stated)) return layer;
      const shape = [target.hiddenSize, layer.kept?.length ?? layer.neurons];
      const found = stored.get(nameOf(layer.site));
      if (found !== undefined && found.shape.join() === shape.join())
        return { ...layer, out: (await found.read()).data as Float32Array };
      const got = found === undefined ? "nothing" : `[${found.shape.join(", ")}]`;
      issues.push({ path: `${matrices}.${nameOf(layer.site)}`, expected: `[${shape.join(", ")}]`, got });
      return layer;
    }),
  );
  if (issues.length > 0) throw new ConfigError(issues);
  return { ...plan, layers };
}

const nameOf = (site: string) => `${site}.out`;
