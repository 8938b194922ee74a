// Shapes of text for the benchmark of tokenizers: each gives a text of at least n units from a stream of random numbers.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Random } from "../src/tensor/index.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The words of this repository's documentation, as they stand there. */
const PROSE = ["README.md", "ARCHITECTURE.md", ...pagesIn("docs")]
  .map((page) => readFileSync(join(ROOT, page), "utf8"))
  .join("\n")
  .split(/\s+/)
  .filter((word) => /^[\p{L}\p{P}]+$/u.test(word));

/** Lines of this repository's sources. */
const CODE = readdirSync(join(ROOT, "src/graph/ops"))
  .filter((name) => name.endsWith(".ts"))
  .flatMap((name) => readFileSync(join(ROOT, "src/graph/ops", name), "utf8").split("\n"));

function pagesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? pagesIn(path) : entry.name.endsWith(".md") ? [path] : [];
  });
}

/** One shape: the next part of a text, again and again. */
export type Shape = (random: Random) => string;

const from = (items: readonly string[] | string) => {
  const list = typeof items === "string" ? Array.from(items) : items;
  return (random: Random) => list[random.integer(list.length)]!;
};

/** A character of a range of code points. */
const within = (first: number, last: number) => (random: Random) =>
  String.fromCodePoint(first + random.integer(last - first + 1));

/** A word of `least` to `most` parts, and what stands behind it. */
const words =
  (part: Shape, least: number, most: number, behind = " "): Shape =>
  (random) =>
    Array.from({ length: least + random.integer(most - least + 1) }, () => part(random)).join("") + behind;

const letters = from("eeeeetttaaaooiinnsshhrrdllcumwfgypbvkjxqz");
const digits = from("0123456789");
const hangul = within(0xac00, 0xd7a3);
const anyCode = (random: Random): string => {
  const code = random.integer(0x110000);
  return code >= 0xd800 && code < 0xe000 ? anyCode(random) : String.fromCodePoint(code);
};
const hindi: Shape = (random) => within(0x915, 0x939)(random) + from(["", "ा", "ि", "ी", "ु", "े", "्", "ं"])(random);
const thai: Shape = (random) => within(0xe01, 0xe2e)(random) + from(["", "ั", "ี", "่", "้", "ำ"])(random);
const arabic: Shape = (random) => from("ابتثجحخدذرزسشصضطظعغفقكلمنهوي")(random) + from(["", "", "", "َ", "ِ", "ّ"])(random);
const japanese: Shape = (random) =>
  [within(0x3041, 0x3093), within(0x30a1, 0x30f6), within(0x4e00, 0x8fff)][random.integer(3)]!(random);

/** Texts by name. Special tokens are of both spellings, so that each kind meets its own. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  "Latin prose": (random) => `${from(PROSE)(random)} `,
  "one word": letters,
  "one word of known parts": (random) => from(PROSE)(random).replace(/[^a-z]/g, "e"),
  "words of 90 letters": words(letters, 90, 90),
  spaces: () => " ",
  "tabs and lines": from("\t\n\r\n"),
  digits,
  punctuation: from("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
  "one punctuation mark": () => "-",
  Hindi: words(hindi, 2, 5),
  "Hindi without spaces": hindi,
  Thai: thai,
  Arabic: words(arabic, 2, 7),
  Chinese: within(0x4e00, 0x9fff),
  Japanese: japanese,
  "Korean, composed": words(hangul, 2, 4),
  "Korean, decomposed": words((random) => hangul(random).normalize("NFD"), 2, 4),
  "Korean, decomposed, one word": (random) => hangul(random).normalize("NFD"),
  "one vowel of Hangul": () => "\u1161",
  "emoji with joiners": from(["👨‍👩‍👧‍👦", "👍🏽", "❤️", "🇩🇪", "👩🏿‍🚀", "😀"]),
  "joiners alone": () => "\u200d",
  flags: () => "🇩",
  "one mark piled up": () => "\u0301",
  "marks of two classes piled up": from(["\u0301", "\u0323"]),
  "marks of all classes piled up": within(0x300, 0x36f),
  "letters with marks": (random) => letters(random) + within(0x300, 0x314)(random) + within(0x323, 0x32d)(random),
  "special tokens": from(["[MASK]", "<mask>", "</s>", "[SEP]", "<extra_id_0>", "<pad>"]),
  "spaced special tokens": from(["   [MASK]   ", "   <mask>   ", " </s> ", "  <extra_id_0>  "]),
  "nearly special, [MAS": () => "[MAS",
  "nearly special, <extra_id_": () => "<extra_id_",
  "nearly special, <<<<": () => "<",
  URLs: (random) =>
    `https://${words(letters, 3, 12, ".example")(random)}/${words(letters, 4, 20, "?q=")(random)}${digits(random)}&`,
  base64: from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
  code: (random) => `${from(CODE)(random)}\n`,
  HTML: (random) => `<p class="${letters(random)}"><b>${from(PROSE)(random)}</b>&nbsp;<br/></p>`,
  "control characters": within(0, 0x1f),
  "replacement characters": () => "\ufffd",
  "right-to-left mixed": (random) =>
    `\u202b${words(arabic, 2, 6)(random)}\u202c${from(PROSE)(random)} ${words(within(0x5d0, 0x5ea), 2, 6)(random)}`,
  "any code points": anyCode,
  "upper case": (random) => `${from(PROSE)(random).toUpperCase()} `,
  "one letter": () => "a",
  "ab again and again": () => "ab",
  "numbers with separators": (random) =>
    `${words(digits, 1, 3, ",")(random)}${words(digits, 3, 3, ".")(random)}${digits(random)} `,
  "▁ alone": () => "▁",
  "▁ and letters": (random) => `▁${letters(random)}`,
  contractions: from(["'s", "'t", "'re", "'", "I'll ", "don't "]),
  "unknown characters": within(0xe000, 0xf8ff),
  "half characters": () => "\ud800",
};

/** A text of n UTF-16 units. */
export function textOf(shape: Shape, random: Random, units: number): string {
  const parts: string[] = [];
  for (let length = 0; length < units; ) {
    const part = shape(random);
    parts.push(part);
    length += part.length;
  }
  return parts.join("").slice(0, units);
}
