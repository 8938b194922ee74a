// Texts to write as token ids beside the texts to read.
import { type EncodedExamples, examplePacker, growing, growingIds } from "./encode.ts";
import type { Example } from "./examples.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** Encoded examples with what is to be written for each. */
export interface EncodedTargets extends EncodedExamples {
  /** Tokens of each target, the end token included; 0 where there is no target. */
  readonly targetLengths: Int32Array;
  readonly maxTargetLength: number;
  readonly truncatedTargets: number;
  /** The ids of one target, not copied. */
  target(index: number): Uint16Array | Int32Array;
}

/** Encoded texts with their targets' texts, which scores need. */
export interface EncodedTexts extends EncodedTargets {
  /** Null where the data has none. */
  readonly targetTexts: readonly (string | null)[];
}

/** Whether examples have something to write. */
export function isTargets(examples: EncodedExamples): examples is EncodedTargets {
  return "targetLengths" in examples;
}

/** Whether examples are texts with the texts to write for them. */
export function isTexts(examples: EncodedExamples): examples is EncodedTexts {
  return "targetTexts" in examples;
}

export interface EncodeTextsOptions {
  /** Largest number of tokens to read, special ones included. */
  readonly maxLength: number;
  /** Largest number of tokens to write, the end token included. */
  readonly maxTargetLength: number;
  /** Put before each text: `summarize: `. */
  readonly prefix?: string;
}

/** Encodes texts and targets; what is too long is cut at its end. */
export async function encodeTexts(
  examples: AsyncIterable<Example> | Iterable<Example>,
  tokenizer: Tokenizer,
  { maxLength, maxTargetLength, prefix = "" }: EncodeTextsOptions,
): Promise<EncodedTexts> {
  const packer = examplePacker(tokenizer, maxLength);
  const targets = targetPacker(tokenizer, maxTargetLength);
  const targetTexts: (string | null)[] = [];
  for await (const { text, target = null, line } of examples) {
    packer.add(tokenizer.encode(prefix + text, null, { maxLength }), line, null);
    targets.add(target);
    targetTexts.push(target);
  }
  return { ...packer.packed(), ...targets.packed(), targetTexts };
}

type Targets = Pick<EncodedTargets, "targetLengths" | "maxTargetLength" | "truncatedTargets" | "target">;

/** Collects targets into one array. */
export function targetPacker(
  tokenizer: Tokenizer,
  maxTargetLength: number,
): { add(text: string | null): void; packed(): Targets } {
  const ids = growingIds(tokenizer);
  const ends = growing(Float64Array);
  let truncatedTargets = 0;
  return {
    add(text) {
      if (text !== null) {
        const encoding = tokenizer.encode(text, null, { maxLength: maxTargetLength });
        if (encoding.truncated) truncatedTargets++;
        ids.push(encoding.ids);
      }
      ends.push([ids.length()]);
    },
    packed() {
      const all = ids.trimmed();
      const stops = ends.trimmed();
      const startOf = (index: number) => (index === 0 ? 0 : stops[index - 1]!);
      return {
        targetLengths: Int32Array.from(stops, (stop, i) => stop - startOf(i)),
        maxTargetLength,
        truncatedTargets,
        target: (index) => all.subarray(startOf(index), stops[index]!),
      };
    },
  };
}
