// A file's content as one short string, streamed, so that a run can say what it was trained on.
import { type Files, sha256, sha256Bytes } from "../tensor/index.ts";

const BLOCK_BYTES = 1 << 20;

/** Lower-case hex of the SHA-256 of the file's 1 MiB blocks' SHA-256 digests, joined (Web Crypto cannot stream). */
export async function fileDigest(files: Files, path: string): Promise<string> {
  const digests: Uint8Array[] = [];
  const block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  for await (const chunk of files.stream(path)) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - filled);
      block.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled === BLOCK_BYTES) {
        digests.push(await sha256Bytes(block));
        filled = 0;
      }
    }
  }
  digests.push(await sha256Bytes(block.subarray(0, filled)));
  const joined = new Uint8Array(digests.length * 32);
  for (const [i, digest] of digests.entries()) joined.set(digest, i * 32);
  return sha256(joined);
}
