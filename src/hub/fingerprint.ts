// Who a model is: one short text for its weights, wherever they lie and in however many files.
import { type Files, joinPath, sha256, type Weight, type Weights } from "../tensor/index.ts";
import { joinBytes, tensorBytes } from "./bytes.ts";
import { jsonText, readNotedObject } from "./json-file.ts";

const WHOLE_BYTES = 32 << 20;
const SAMPLE_BYTES = 4096;

/**
 * A fingerprint of a model's weights over each tensor's name, dtype, shape and every byte: the same tensors give the same fingerprint
 * whatever files they lie in. Up to 32 MiB it is one SHA-256 as hexadecimal. Above it is two, `WHOLE-SAMPLED`: the second is over the first
 * 4 KiB of each tensor, which alone was the fingerprint in versions up to 0.1.0; `isSameFingerprint` compares both kinds.
 *
 * With `cacheFolder`, what was found for large files is kept there, and found again while their size, times and inode are the same.
 */
export async function fingerprint(files: Files, weights: Weights, cacheFolder?: string): Promise<string> {
  const ordered = [...weights].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const sizes = await Promise.all(
    ordered.map(async ([, weight]) => weight.span?.byteLength ?? tensorBytes(await weight.read()).length),
  );
  const isLarge = sizes.reduce((sum, size) => sum + size, 0) > WHOLE_BYTES;
  if (!isLarge) return firstBytesPrint(files, ordered, WHOLE_BYTES);
  const key = cacheFolder === undefined ? null : await sourceIdentity(files, ordered);
  if (key === null) return largePrint(files, ordered);
  return cached(files, joinPath(cacheFolder!, "fingerprints", `${key}.json`), () => largePrint(files, ordered));
}

/** Whether two fingerprints are of the same weights, as far as both tell. */
export function isSameFingerprint(a: string | undefined, b: string | undefined): boolean {
  if (a === b || a === undefined || b === undefined) return a === b;
  const isOld = (print: string) => /^[0-9a-f]{64}$/.test(print);
  return isOld(a) !== isOld(b) && sampledPart(a) === sampledPart(b);
}

/** The part of a fingerprint that versions up to 0.1.0 had: what their files hold, and texts that are compared with theirs. */
export const sampledPart = (print: string): string => print.slice(print.indexOf("-") + 1);

type Named = readonly (readonly [string, Weight])[];

const headOf = (name: string, { dtype, shape }: Weight) =>
  new TextEncoder().encode(`${JSON.stringify([name, dtype, shape])}\n`);

async function largePrint(files: Files, ordered: Named): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const [name, weight] of ordered) {
    parts.push(headOf(name, weight));
    parts.push(new TextEncoder().encode(`${await tensorDigest(files, weight)}\n`));
  }
  return `${await sha256(joinBytes(parts))}-${await firstBytesPrint(files, ordered, SAMPLE_BYTES)}`;
}

async function tensorDigest(files: Files, weight: Weight): Promise<string> {
  const { span } = weight;
  if (span === undefined) return sha256(tensorBytes(await weight.read()));
  return files.digest(joinPath(span.folder, span.name), span.byteOffset, span.byteLength);
}

async function firstBytesPrint(files: Files, ordered: Named, limit: number): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const [name, weight] of ordered) parts.push(headOf(name, weight), await firstBytes(files, weight, limit));
  return sha256(joinBytes(parts));
}

async function firstBytes(files: Files, weight: Weight, limit: number): Promise<Uint8Array> {
  const { span } = weight;
  if (span === undefined) return tensorBytes(await weight.read()).subarray(0, limit);
  return files.readRange(joinPath(span.folder, span.name), span.byteOffset, Math.min(span.byteLength, limit));
}

/**
 * What tells weights in files from others without reading them: names, places, and the files' size, times and inode, as a digest of 40
 * hexadecimal digits. Null where a weight lies in no file, or in one whose place keeps no such facts.
 */
export async function sourceIdentity(files: Files, weights: Named): Promise<string | null> {
  const parts: string[] = [];
  const seen = new Set<string>();
  for (const [name, { dtype, shape, span }] of weights) {
    if (span === undefined) return null;
    parts.push(JSON.stringify([name, dtype, shape, span]));
    const path = joinPath(span.folder, span.name);
    if (seen.has(path)) continue;
    seen.add(path);
    const { stamp } = (await files.stat(path)) ?? {};
    if (stamp === undefined) return null;
    parts.push(JSON.stringify([path, stamp]));
  }
  return (await sha256(parts.join("\n"))).slice(0, 40);
}

/** What `make` gave before, where the file has it whole; a place that cannot be written costs only time. */
async function cached(files: Files, file: string, make: () => Promise<string>): Promise<string> {
  const check = (print: string) => sha256(`${file.slice(file.lastIndexOf("/"))} ${print}`);
  const found = await readNotedObject(files, file);
  if (typeof found?.fingerprint === "string" && found.check === (await check(found.fingerprint)))
    return found.fingerprint;
  const print = await make();
  await files.write(file, jsonText({ fingerprint: print, check: await check(print) })).catch(() => {});
  return print;
}
