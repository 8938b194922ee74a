// A file's content as one short string, streamed, so that a run can say what it was trained on.
import type { Files } from "../tensor/index.ts";

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
        digests.push(await sha256(block));
        filled = 0;
      }
    }
  }
  digests.push(await sha256(block.subarray(0, filled)));
  const joined = new Uint8Array(digests.length * 32);
  for (const [i, digest] of digests.entries()) joined.set(digest, i * 32);
  return hex(await sha256(joined));
}

/** Lower-case hex of the SHA-256 of a text. */
export async function textDigest(text: string): Promise<string> {
  return hex(await sha256(new TextEncoder().encode(text)));
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  // copied: digest may read its input after this returns, and the block is reused
  return new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes.slice()));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
