// `decoding.json` beside a compressed model: which of its decoder's MLPs are read by the rows of active neurons, and from where on they count.
import * as z from "zod";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { parseJson } from "../hub/index.ts";
import type { SparseMlpPlan } from "../infer/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** The file's name in a compressed model's folder. */
export const DECODING_FILE = "decoding.json";

/** A plan for decoding with what it was measured to lose. */
export interface StoredDecoding {
  readonly schema: 1;
  readonly plan: SparseMlpPlan;
  /** Points of score that it was allowed to lose, as a fraction. */
  readonly budget: number;
  /** What it may have lost on the examples of the choice, with one standard error. */
  readonly lost: number;
  /** Largest share of a layer's neurons that thresholds leave active; null: there are no thresholds. */
  readonly keepActive: number | null;
}

const LAYER = z.strictObject({
  site: z.string().min(1),
  threshold: z.number().min(0),
  neurons: z.int().min(1),
  isGathered: z.boolean(),
  active: z.number().min(0).max(1),
  denseMs: z.number().min(0).nullable(),
  gatheredMs: z.number().min(0).nullable(),
  reason: z.string().nullable(),
  prediction: z
    .strictObject({
      floor: z.number(),
      recall: z.number().min(0).max(1),
      selected: z.number().min(0).max(1),
    })
    .optional(),
});
const DECODING = z.strictObject({
  schema: z.literal(1),
  plan: z.strictObject({
    rows: z.int().min(1),
    exactness: z.enum(["exact", "calibrated"]),
    layers: z.array(LAYER),
  }),
  budget: z.number().min(0),
  lost: z.number(),
  keepActive: z.number().min(0).max(1).nullable(),
});

/**
 * The decoding of a compressed model's folder; null where it has none. `sites` are its decoder's MLPs, with their neurons.
 * @throws {ConfigError} listing every mistake of the file.
 */
export async function readDecoding(
  files: Files,
  folder: string,
  sites: ReadonlyMap<string, number>,
): Promise<StoredDecoding | null> {
  const file = joinPath(folder, DECODING_FILE);
  if ((await files.stat(file)) === null) return null;
  const parsed = DECODING.safeParse(parseJson(file, await files.readText(file)));
  const issues = parsed.success
    ? parsed.data.plan.layers.flatMap((layer, i) => foreign(layer, `${file}.plan.layers.${i}`, sites))
    : parsed.error.issues.map(({ path, message }) => ({
        path: [file, ...path].join("."),
        expected: "a plan for decoding as deft compress writes it",
        got: message.replace(/^Invalid input: /, ""),
      }));
  if (issues.length > 0)
    throw new ConfigError(issues, { hint: "Compress again with --decoding-budget, or remove the file." });
  return parsed.data as StoredDecoding;
}

/** What of a layer is not this model's. */
function foreign(
  { site, neurons, isGathered, prediction }: z.infer<typeof LAYER>,
  path: string,
  sites: ReadonlyMap<string, number>,
): ConfigIssue[] {
  const own = sites.get(site);
  if (own === undefined) return [{ path: `${path}.site`, expected: "an MLP of the model's decoder", got: site }];
  if (own !== neurons) return [{ path: `${path}.neurons`, expected: `${own}, as the model has`, got: String(neurons) }];
  if (prediction !== undefined && !isGathered)
    return [{ path: `${path}.prediction`, expected: "nothing where no rows are read", got: "a prediction" }];
  return [];
}
