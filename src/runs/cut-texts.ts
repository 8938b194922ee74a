// What is said of texts that are longer than a model reads: how many were cut, and which flag keeps them whole.
import type { EncodedExamples } from "../data/index.ts";

/** Something that a person should know of a job on a model. */
export interface TargetWarning {
  /** Stable, machine-readable: `truncated`. */
  readonly code: string;
  readonly message: string;
}

/** Who is told while a job runs. */
export interface Watched {
  readonly onWarning?: (warning: TargetWarning) => void;
}

/** Counts of texts that were encoded; several batches add up. */
export interface CutTexts {
  add(examples: Pick<EncodedExamples, "count" | "truncatedCount" | "longest">): void;
  /** Says it where any text was cut, and starts anew. */
  say(to: Watched): void;
}

/**
 * Counts the texts that are cut.
 *
 * @param maxLength - Tokens that are read of a text.
 * @param limit - The most that the model can read; Infinity where it has no limit.
 */
export function cutTexts(maxLength: number, limit: number): CutTexts {
  let [count, cut, longest] = [0, 0, 0];
  return {
    add(examples) {
      count += examples.count;
      cut += examples.truncatedCount;
      longest = Math.max(longest, examples.longest);
    },
    say({ onWarning }) {
      if (cut > 0) onWarning?.({ code: "truncated", message: cutMessage({ count, cut, longest, maxLength, limit }) });
      [count, cut, longest] = [0, 0, 0];
    },
  };
}

interface Cut {
  readonly count: number;
  readonly cut: number;
  readonly longest: number;
  readonly maxLength: number;
  readonly limit: number;
}

function cutMessage({ count, cut, longest, maxLength, limit }: Cut): string {
  const [are, were] = cut === 1 ? ["is", "was"] : ["are", "were"];
  const said = `${cut} of ${count} texts ${are} longer than ${maxLength} tokens and ${were} cut`;
  if (limit <= maxLength) return `${said}; the model reads no more`;
  return longest <= limit
    ? `${said}; --max-length ${longest} keeps all whole`
    : `${said}; --max-length ${limit}, the most that the model reads, keeps more of them`;
}
