// JSON of files that anyone may have written: what is parsed can be walked, and written again, without an end of the stack.

/** How deep lists and objects of a JSON file may be nested: deeper than any file that is read here. */
export const DEEPEST_JSON = 64;

/** How deep lists and objects of a JSON text are nested. */
export function jsonDepth(text: string): number {
  let [depth, deepest, isText] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) isText = !isText;
    else if (isText) at += code === 0x5c ? 1 : 0;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

/**
 * A parsed JSON text whose lists and objects are nested at most 64 deep.
 * @throws {SyntaxError} where it is no JSON, or nested deeper.
 */
export function parseBoundedJson(text: string): unknown {
  if (jsonDepth(text) > DEEPEST_JSON) throw new SyntaxError(`lists and objects nested more than ${DEEPEST_JSON} deep`);
  return JSON.parse(text) as unknown;
}
