// The forms that weights are stored in, as `--quantize` and `--precision` name them in every command.

/** `nf4`, `int8` and `int4` are few bits for each weight, `qdq` is int8 in activations too, and `none` is float32. */
export const WEIGHT_FORMS = ["nf4", "int8", "int4", "qdq", "none"] as const;

export type WeightForm = (typeof WEIGHT_FORMS)[number];

/** Forms of a frozen base that is trained on, or of a merged checkpoint; of compressed models; and of ONNX files. */
export const BASE_FORMS = ["nf4", "int8", "int4", "none"] as const satisfies readonly WeightForm[];
export const DEPLOYED_FORMS = ["int8", "int4", "qdq", "none"] as const satisfies readonly WeightForm[];

/** Other words for them: those of ONNX files and of Transformers.js. */
const OTHER_WORDS: Readonly<Record<string, WeightForm>> = { q4: "int4", q8: "int8", fp32: "none", float32: "none" };

/** The form that a word names, if it is one of those that are taken here; undefined for every other word. */
export function weightForm<const F extends WeightForm>(word: unknown, taken: readonly F[]): F | undefined {
  if (typeof word !== "string") return undefined;
  const meant = Object.hasOwn(OTHER_WORDS, word) ? OTHER_WORDS[word] : word;
  return taken.find((form) => form === meant);
}
