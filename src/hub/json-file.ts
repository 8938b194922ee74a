// JSON files read for others' formats, with the line named when they are broken.
import { DataError, FileError, shownValue } from "../errors.ts";
import { DEEPEST_JSON, type Files, joinPath, jsonDepth, parseBoundedJson } from "../tensor/index.ts";
import { literalOf, withLiterals } from "./json-literals.ts";

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
    throw new DataError(path, {
      expected: "a JSON object",
      got: Array.isArray(json) ? "a list" : shownValue(json),
      hint,
    });
  }
  return json;
}

/** Whether a parsed value is an object, not a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface JsonTextOptions {
  /** Keys whose numbers are written with a point (`1.0`) also where this program set them. */
  readonly floats?: readonly string[];
}

/**
 * An object as a JSON file's text, as Python's `json.dump(indent=2, sort_keys=True)` lays it out. A number that was read from a file and
 * copied keeps its literal (`1.0`, `1e-06`, an integer of 30 digits): Python's readers tell integers and floats apart.
 */
export function jsonText(value: JsonObject, options: JsonTextOptions = {}): string {
  return `${written(value, new Set(options.floats), "") ?? "null"}\n`;
}

/** Undefined for what JSON leaves out. */
function written(value: unknown, floats: ReadonlySet<string>, indent: string): string | undefined {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) as string | undefined;
  const inner = `${indent}  `;
  const member = (key: string, of: unknown) =>
    typeof of === "number" ? numberText(value, key, of, floats) : written(of, floats, inner);
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((item: unknown, index) => member(String(index), item) ?? "null")
    : sortedKeys(value).flatMap((key) => {
        const text = member(key, (value as JsonObject)[key]);
        return text === undefined ? [] : [`${JSON.stringify(key)}: ${text}`];
      });
  const [open, close] = isList ? "[]" : "{}";
  return parts.length === 0 ? `${open}${close}` : `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
}

/** Whole numbers in their order (`id2label`), then the others. */
function sortedKeys(value: object): string[] {
  const sorted = Object.keys(value).sort();
  return Object.keys(Object.fromEntries(sorted.map((key) => [key, null])));
}

function numberText(container: object, key: string, value: number, floats: ReadonlySet<string>): string {
  const text = literalOf(container, key, value) ?? JSON.stringify(value);
  return floats.has(key) && /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/**
 * A parsed JSON text; `jsonText` writes its numbers as they stand there, in copies of its objects too.
 * @throws {DataError} with the line at which it stops being JSON.
 */
export function parseJson(path: string, text: string): unknown {
  const value = parsed(path, text);
  if (jsonDepth(text) > DEEPEST_JSON)
    throw new DataError(path, { expected: `lists and objects nested at most ${DEEPEST_JSON} deep`, got: "more" });
  return withLiterals(text, value);
}

function parsed(path: string, text: string): unknown {
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

/** The object of a JSON file that this program wrote for itself and can do without; null where it is not there, or not whole. */
export async function readNotedObject(files: Files, path: string): Promise<JsonObject | null> {
  if ((await files.stat(path)) === null) return null;
  try {
    const json = parseBoundedJson(new TextDecoder().decode(await files.read(path)));
    return isJsonObject(json) ? json : null;
  } catch {
    return null;
  }
}
