// Small damage to a file: of its bytes, and of its JSON's values.
import { joinBytes } from "../../src/hub/bytes.ts";
import type { Random } from "../../src/tensor/index.ts";

/** Values that readers trip over. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  0.5,
  1e9,
  5e9,
  1e308,
  2 ** 53,
  "",
  "x",
  "nan",
  "../../etc/passwd",
  "(a+)+$",
  "constructor",
  "__proto__",
  "\u0000",
  "\ud800",
  [],
  {},
  [[]],
  [null],
  { __proto__: null, constructor: 1, toString: 2 },
];

const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}${close.repeat(depth)}`;

/** Another file, a little different. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const times = 1 + random.integer(3);
  let mutated = bytes;
  for (let i = 0; i < times; i++) {
    const json = random.uniform() < 0.6 ? mutatedJson(mutated, random) : null;
    mutated = json ?? mutatedBytes(mutated, random);
  }
  return mutated;
}

function mutatedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.integer(bytes.length + 1);
  const length = Math.min(bytes.length - at, 1 + random.integer(8));
  const joined = (...parts: readonly Uint8Array[]) => joinBytes(parts);
  const noise = Uint8Array.from({ length: 1 + random.integer(8) }, () => random.integer(256));
  switch (random.integer(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return joined(bytes.subarray(0, at), noise, bytes.subarray(at));
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at));
    case 4: {
      const text = new TextEncoder().encode(nested(20_000, "[", "]"));
      return joined(bytes.subarray(0, at), text, bytes.subarray(at));
    }
    default: {
      const changed = bytes.slice();
      if (changed.length > 0) changed[Math.min(at, changed.length - 1)]! ^= 1 << random.integer(8);
      return changed;
    }
  }
}

/** The file with one value of its JSON, or of one of its lines, changed, removed or put elsewhere; null where it is no JSON. */
function mutatedJson(bytes: Uint8Array, random: Random): Uint8Array | null {
  const text = new TextDecoder().decode(bytes);
  const whole = changedText(text, random);
  if (whole !== null) return new TextEncoder().encode(whole);
  const lines = text.split("\n");
  const at = random.integer(lines.length);
  const line = changedText(lines[at]!, random);
  if (line === null) return null;
  return new TextEncoder().encode(lines.with(at, line).join("\n"));
}

function changedText(text: string, random: Random): string | null {
  try {
    return changedJson(JSON.parse(text), random);
  } catch {
    // no JSON, or nested too deeply to be written again
    return null;
  }
}

function changedJson(value: unknown, random: Random): string | null {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const walk = (of: unknown, depth: number): void => {
    if (typeof of !== "object" || of === null || places.length > 5000 || depth > 50) return;
    for (const [key, inner] of Object.entries(of)) {
      places.push({ holder: of as Record<string, unknown>, key });
      walk(inner, depth + 1);
    }
  };
  walk(value, 0);
  if (places.length === 0) return null;
  const { holder, key } = places[random.integer(places.length)]!;
  const other = places[random.integer(places.length)]!;
  switch (random.integer(5)) {
    case 0:
      delete holder[key];
      break;
    case 1:
      holder[key] = structuredClone(other.holder[other.key]);
      break;
    case 2:
      holder[key] = nested(1, "@", "@");
      return JSON.stringify(value).replace('"@@"', () => nested(5000, "[", "]"));
    case 3:
      holder[key] = "x".repeat(100_000);
      break;
    default:
      holder[key] = ODD[random.integer(ODD.length)];
  }
  return JSON.stringify(value);
}
