// JSON files read for others' formats, with the line named when they are broken.
import { DataError, FileError } from "../errors.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** A JSON object as it was parsed: nothing about its values is known. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The JSON object in `folder/name`.
 * @throws {FileError} when it is missing, {DataError} when it is not UTF-8, not JSON or not an object.
 */
export async function readJsonObject(files: Files, folder: string, name: string, hint: string): Promise<JsonObject> {
  const path = joinPath(folder, name);
  const stat = await files.stat(path);
  if (stat === null || stat.isFolder) {
    throw new FileError(path, `expected a JSON file, got ${stat === null ? "nothing there" : "a folder"}`, { hint });
  }
  const text = await files.readText(path);
  const json = parseJson(path, text);
  if (!isJsonObject(json)) {
    throw new DataError(path, { expected: "a JSON object", got: Array.isArray(json) ? "a list" : String(json), hint });
  }
  return json;
}

/** Whether a parsed value is an object, not a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * An object as a JSON file's text, as Python's `json.dump(indent=2, sort_keys=True)` lays it out. Numbers of the fields
 * in `floats` keep a point (`1.0`): Python's readers tell integers and floats apart.
 */
export function jsonText(value: JsonObject, { floats = [] }: { floats?: readonly string[] } = {}): string {
  const text = `${JSON.stringify(sorted(value), null, 2)}\n`;
  return text.replace(/^( *"(\w+)": -?\d+)(?=,?$)/gm, (line, _, field: string) =>
    floats.includes(field) ? `${line}.0` : line,
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

/**
 * A parsed JSON text.
 * @throws {DataError} with the line at which it stops being JSON.
 */
export function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // V8 names the place by character, or not at all when the text just ends
    const position = /position (\d+)/.exec(message)?.[1];
    const line = text.slice(0, position === undefined ? text.length : Number(position)).split("\n").length;
    const got = text.trim() === "" ? "an empty file" : message.replace(/ in JSON at position.*/, "");
    throw new DataError(path, { line, expected: "JSON", got, cause });
  }
}
