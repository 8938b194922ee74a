// SHA-256 by the platform's own Web Crypto, in Node and in browsers.

/** SHA-256 of bytes, which must stay as they are until it is known. */
export async function sha256Bytes(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** SHA-256 of bytes, or of a text as UTF-8, in lower-case hexadecimal. */
export async function sha256(content: Uint8Array | string): Promise<string> {
  const digest = await sha256Bytes(typeof content === "string" ? new TextEncoder().encode(content) : content);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
