// Which examples of a single file are kept aside to measure on.
import { randomStream } from "../tensor/index.ts";

export interface HeldOutOptions {
  /** Share of the examples to hold out, in (0, 1). */
  readonly share: number;
  readonly seed: number;
}

/**
 * 1 for each example that is held out, 0 for the others.
 *
 * Stratified by label; examples with equal text (`keys`) stay on one side, so that nothing seen in training is measured.
 * Every label with two different texts or more has at least one on each side.
 */
export function heldOut(
  keys: ArrayLike<number>,
  labels: ArrayLike<number> | null,
  { share, seed }: HeldOutOptions,
): Uint8Array {
  const out = new Uint8Array(keys.length);
  for (const [label, groups] of [...byLabel(keys, labels)].sort(([a], [b]) => a - b)) {
    const sizes = [...groups.values()];
    const total = sizes.reduce((sum, members) => sum + members.length, 0);
    const wanted = sizes.length < 2 ? 0 : Math.max(1, Math.round(total * share));
    let taken = 0;
    for (const members of randomStream(seed, "held-out", label).shuffle(sizes).slice(1)) {
      if (taken >= wanted) break;
      for (const i of members) out[i] = 1;
      taken += members.length;
    }
  }
  return out;
}

/** Label → key → examples; a key whose examples have several labels counts under its first one's. */
function byLabel(keys: ArrayLike<number>, labels: ArrayLike<number> | null): Map<number, Map<number, number[]>> {
  const labelOfKey = new Map<number, number>();
  const out = new Map<number, Map<number, number[]>>();
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const label = labelOfKey.get(key) ?? labels?.[i] ?? 0;
    labelOfKey.set(key, label);
    const groups = out.get(label) ?? new Map<number, number[]>();
    out.set(label, groups);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [i]);
    else members.push(i);
  }
  return out;
}

/** A 53-bit hash of an example's text, blind to case and to runs of whitespace. */
export function textKey(text: string, pair: string | undefined): number {
  const plain = [text, pair ?? ""].map((t) => t.toLowerCase().replace(/\s+/g, " ").trim()).join("\u0000");
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let i = 0; i < plain.length; i++) {
    const unit = plain.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return 0x100000000 * (0x1fffff & high) + (low >>> 0);
}
