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

/** What of a layer lies beside its JSON, by the key there that says so. */
const PARTS = { out: "refitted", into: "trained", shift: "shifted" } as const;
type Part = keyof typeof PARTS;
const PART_NAMES = Object.keys(PARTS) as Part[];

/**
 * Writes `plan.json` and, where matrices were fitted or trained anew, `plan.safetensors` with each layer's as `SITE.out` `[D, kept]`,
 * `SITE.into` `[kept, D]` and `SITE.shift` `[kept]`.
 */
export async function writePlan(files: Files, folder: string, plan: Plan): Promise<void> {
  const tensors = new Map<string, Tensor>();
  const layers = plan.layers.map(({ out, into, shift, ...layer }) => {
    const parts = { out, into, shift };
    const said: Partial<Record<(typeof PARTS)[Part], true>> = {};
    for (const part of PART_NAMES) {
      const data = parts[part];
      if (data === undefined) continue;
      said[PARTS[part]] = true;
      tensors.set(tensorName(layer.site, part), float32(shapeOf(part, keptCount(layer), data.length), data));
    }
    return { ...layer, ...said };
  });
  if (tensors.size > 0) await files.write(joinPath(folder, MATRICES_FILE), writeSafetensors(memoryWeights(tensors)));
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
    plan.layers.map(
      async ({ refitted: _refitted, trained: _trained, shifted: _shifted, ...layer }, i): Promise<LayerPlan> => {
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
      },
    ),
  );
  if (issues.length > 0) throw new ConfigError(issues);
  return { ...plan, layers };
}

const tensorName = (site: string, part: Part) => `${site}.${part}`;

/** The shape of a part of `length` numbers for `kept` neurons. */
function shapeOf(part: Part, kept: number, length: number): number[] {
  if (part === "shift") return [kept];
  return part === "out" ? [length / kept, kept] : [kept, length / kept];
}

/** What lies beside a layer's JSON, by the plan's key of it. */
function storedParts(layer: StoredLayerPlan, hiddenSize: number) {
  const kept = keptCount(layer);
  const said = kept === 0 ? [] : PART_NAMES.filter((part) => layer[PARTS[part]] === true);
  return new Map(
    said.map((part) => {
      const shape = shapeOf(part, kept, kept * hiddenSize);
      return [part, { name: tensorName(layer.site, part), shape }] as const;
    }),
  );
}
