// What tokenizer.json and tokenizer_config.json hold, as far as it is read here.
import { shownValue, UnsupportedError } from "../../errors.ts";

/** The content of tokenizer.json. */
export interface TokenizerJson {
  readonly version?: string;
  readonly model: { readonly type?: string; readonly [key: string]: unknown };
  readonly normalizer: StageJson | null;
  readonly pre_tokenizer: StageJson | null;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly added_tokens: readonly AddedTokenJson[];
  readonly padding?: { readonly pad_id?: number; readonly pad_token?: string } | null;
  readonly truncation?: { readonly direction?: string } | null;
}

/** One step of a tokenizer, by its type. */
export interface StageJson {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

/** The content of tokenizer_config.json. */
export type TokenizerConfigJson = Readonly<Record<string, unknown>>;

/** The spelling of a token in tokenizer_config.json, where it is a string or an object with `content`. */
export function tokenContent(value: unknown): string | null {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : null;
}

/** A step of tokenizer.json that is not built. */
export function unsupportedStage(part: string, type: unknown, supported: readonly string[]): UnsupportedError {
  return new UnsupportedError(`the ${part} ${shownValue(type)} of tokenizer.json`, supported);
}

/** The stages under a key of a `Sequence`. */
export function stagesOf(json: StageJson, key: string): readonly StageJson[] {
  const stages = json[key];
  return Array.isArray(stages) ? (stages as StageJson[]) : [];
}

/** A flag of a stage; what it is where the stage does not say. */
export function flagOf(json: StageJson, key: string, usual: boolean): boolean {
  return typeof json[key] === "boolean" ? json[key] : usual;
}

/** A text of a stage. @throws {UnsupportedError} when the stage does not give one. */
export function textOf(json: StageJson, key: string): string {
  const value = json[key];
  if (typeof value === "string") return value;
  throw new UnsupportedError(`the ${json.type} of tokenizer.json without a text under "${key}"`, [`"${key}": "…"`]);
}
