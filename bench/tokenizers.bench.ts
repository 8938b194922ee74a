// Whether the time of a tokenizer grows with the text: processor time of 4n units beside n, over shapes of text and kinds of tokenizer.
//   npx tsx bench/tokenizers.bench.ts [--units 50000] [--rounds 5] [--does encode,spans,decode] [--kinds bert,roberta,t5,xlm-roberta] [--shapes "NAME;…"] [--most 4.5]
// A round takes a fresh text of 4n units whole, another in halves and a third in quarters, in changing order, so that each side does as
// many units and meets as few words again. The ratio is time(whole) ÷ (time(quarters) ÷ 4): 4 where time is linear. Ends with code 1
// where a median is above --most. Vocabularies are of the size of the published models', made from the shapes themselves.
// It starts itself again with one thread for collecting garbage and a nursery that a text fits in: what the collector takes depends on what else
// is kept, and a text that outgrows the nursery pays once more for everything that it keeps, however the tokenizer goes about it.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { foreignLoadMeter } from "../src/cli/foreign-load.ts";
import { createTokenizer, loadTokenizer, type Tokenizer } from "../src/data/index.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { randomStream } from "../src/tensor/index.ts";
import { SHAPES, textOf } from "./tokenizer-texts.ts";

const { values } = parseArgs({
  options: {
    units: { type: "string", default: "50000" },
    rounds: { type: "string", default: "5" },
    kinds: { type: "string", default: "bert,roberta,t5,xlm-roberta" },
    does: { type: "string", default: "encode,spans" },
    shapes: { type: "string" },
    most: { type: "string", default: "4.5" },
  },
});

const GOLDEN = new URL("../test/golden/tokenizers/", import.meta.url).pathname;
const FOLDERS: Readonly<Record<string, string>> = {
  bert: "bert",
  roberta: "roberta",
  t5: "t5",
  "xlm-roberta": "spiece/xlm-roberta",
};
/** As bert-base-uncased, roberta-base, t5-base and xlm-roberta-base have them. */
const SIZES: Readonly<Record<string, number>> = { bert: 30_522, roberta: 50_265, t5: 32_100, "xlm-roberta": 250_002 };
/** T5 knows few scripts: the others are unknown to it. */
const LATIN = /^[\p{sc=Latin}\p{N}\p{P}\p{S}▁]+$/u;

/** How often parts of words stand in texts of every shape, the most frequent first. */
function frequentParts(spell: (text: string) => readonly string[]): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const [name, shape] of Object.entries(SHAPES)) {
    for (const word of spell(textOf(shape, randomStream(7, name), 20_000))) {
      const chars = Array.from(word.slice(0, 120));
      for (let start = 0; start < chars.length; start++)
        for (let end = start + 1; end <= Math.min(chars.length, start + 12); end++) {
          const part = (start > 0 ? "\0" : "") + chars.slice(start, end).join("");
          counts.set(part, (counts.get(part) ?? 0) + 1);
        }
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** The golden tokenizer's steps over a vocabulary of realistic size. */
async function tokenizerOf(kind: string): Promise<Tokenizer> {
  const small = await loadTokenizer(nodeFiles(), `${GOLDEN}${FOLDERS[kind]}`);
  const { json, config } = small.files;
  const size = SIZES[kind]!;
  const words = (text: string) => text.toLowerCase().split(/\s+/);
  if (kind === "bert") {
    const vocab = { ...(json.model.vocab as Record<string, number>) };
    let next = Object.keys(vocab).length;
    for (const [part] of frequentParts(words)) {
      const token = part.replace("\0", "##");
      if (next < size && !(token in vocab)) vocab[token] = next++;
    }
    return createTokenizer({ ...json, model: { ...json.model, vocab } }, config);
  }
  if (kind === "roberta")
    return createTokenizer({ ...json, model: { ...json.model, ...pairsOf(small, size) } }, config);
  const known = json.model.vocab as (readonly [string, number])[];
  const pieces = new Map(known);
  const parts = frequentParts((text) => text.split(/\s+/).map((word) => `▁${word}`));
  for (const [part, count] of parts) {
    const piece = part.replace("\0", "");
    if (pieces.size >= size) break;
    if (!pieces.has(piece) && (kind !== "t5" || LATIN.test(piece))) pieces.set(piece, Math.log(count / 1e7));
  }
  return createTokenizer({ ...json, added_tokens: [], model: { ...json.model, vocab: [...pieces] } }, config);
}

/** Merges that spell the most frequent parts from the left, behind those of the golden tokenizer. */
function pairsOf({ files: { json } }: Tokenizer, size: number) {
  const vocab = { ...(json.model.vocab as Record<string, number>) };
  const merges = [...(json.model.merges as (string | [string, string])[])];
  let next = Object.keys(vocab).length;
  const bytes = createTokenizer({ ...json, model: { ...json.model, merges: [] } });
  const spell = (text: string) =>
    text.split(/(?= )/).map((word) =>
      bytes
        .encode(word, null, { addSpecialTokens: false, maxLength: null })
        .ids.map((id) => bytes.tokenOf(id))
        .join(""),
    );
  for (const [marked] of frequentParts(spell)) {
    const chars = Array.from(marked.replace("\0", ""));
    for (let end = 2; end <= chars.length && next < size; end++) {
      const [left, right] = [chars.slice(0, end - 1).join(""), chars[end - 1]!];
      if (left + right in vocab) continue;
      vocab[left + right] = next++;
      merges.push([left, right]);
    }
  }
  return { vocab, merges };
}

const DOES: Readonly<Record<string, (tokenizer: Tokenizer, text: string) => () => unknown>> = {
  encode: (tokenizer, text) => () => tokenizer.encode(text, null, { maxLength: null }),
  spans: (tokenizer, text) => () => tokenizer.spans(text),
  decode: (tokenizer, text) => {
    const { ids } = tokenizer.encode(text, null, { maxLength: null });
    return () => tokenizer.decode(ids, { skipSpecialTokens: false });
  },
};

/** Processor time of some work, in milliseconds. */
function timeOf(work: readonly (() => unknown)[]): number {
  const before = process.cpuUsage();
  for (const one of work) one();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const median = (numbers: readonly number[]) => sorted(numbers)[numbers.length >> 1]!;

interface Row {
  readonly name: string;
  readonly ms: number;
  readonly twice: number;
  readonly four: readonly number[];
}

/** Texts of one measurement: as many as take this long. */
const LEAST_MS = 25;
const MOST_TEXTS = 100;

/** The times of a round: texts whole, in halves and in quarters. */
function roundOf(tokenizer: Tokenizer, does: string, name: string, at: { round: number; texts: number }): number[] {
  const units = Number(values.units);
  const work = [4, 2, 1].map((size) =>
    Array.from({ length: at.texts }, (_, i) => textOf(SHAPES[name]!, randomStream(at.round, name, size, i), 4 * units))
      .flatMap((text) =>
        Array.from({ length: 4 / size }, (_, i) => text.slice(i * size * units, (i + 1) * size * units)),
      )
      .map((part) => DOES[does]!(tokenizer, part)),
  );
  const times = [0, 0, 0];
  for (let turn = 0; turn < 3; turn++) {
    const i = (turn + at.round) % 3;
    globalThis.gc?.();
    times[i] = timeOf(work[i]!);
  }
  return times.map((time) => time / at.texts);
}

function measured(name: string, tokenizer: Tokenizer, does: string, shape: string): Row {
  // what runs first is compiled as it runs
  const [first] = roundOf(tokenizer, does, shape, { round: 0, texts: 1 });
  const texts = Math.min(MOST_TEXTS, Math.ceil(LEAST_MS / first!));
  const times = Array.from({ length: Number(values.rounds) }, (_, round) =>
    roundOf(tokenizer, does, shape, { round: round + 1, texts }),
  );
  return {
    name,
    ms: median(times.map(([whole]) => whole!)),
    twice: median(times.map(([, halves, quarters]) => (2 * halves!) / quarters!)),
    four: sorted(times.map(([whole, , quarters]) => (4 * whole!) / quarters!)),
  };
}

const FLAGS = ["--single-threaded-gc", "--max-semi-space-size=256", "--min-semi-space-size=256", "--expose-gc"];
if (globalThis.gc === undefined) {
  const args = [...FLAGS, "--import", "tsx", import.meta.filename, ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1);
}

const load = foreignLoadMeter().start();
const rows: Row[] = [];
const chosen = values.shapes === undefined ? Object.keys(SHAPES) : values.shapes.split(";");
for (const kind of values.kinds.split(",")) {
  const tokenizer = await tokenizerOf(kind);
  console.log(`${kind}: ${tokenizer.vocabSize} tokens`);
  for (const does of values.does.split(","))
    for (const shape of chosen) {
      const row = measured(`${kind}, ${does}, ${shape}`, tokenizer, does, shape);
      rows.push(row);
      const spread = `${row.four[0]!.toFixed(2)} to ${row.four.at(-1)!.toFixed(2)}`;
      console.log(
        `  ${does.padEnd(6)} ${shape.padEnd(32)} ${row.ms.toFixed(1).padStart(9)} ms at 4n, 2n/n ${row.twice.toFixed(2)}, 4n/n ${median(row.four).toFixed(2)} (${spread})`,
      );
    }
}
const worst = [...rows].sort((a, b) => median(b.four) - median(a.four));
console.log(`\n${rows.length} rows of ${chosen.length} shapes; the largest ratios of time at 4n and n:`);
for (const row of worst.slice(0, 8)) console.log(`  ${median(row.four).toFixed(2)}  ${row.name}`);
// times are of one thread's processor and both sides of a ratio take turns, so no round is left out
const foreign = load?.share() ?? null;
console.log(
  foreign === null
    ? "what other programs took of the processors' time is not known on this system"
    : `other programs took ${(100 * foreign).toFixed(1)} % of the processors' time`,
);
process.exitCode = median(worst[0]!.four) > Number(values.most) ? 1 : 0;
