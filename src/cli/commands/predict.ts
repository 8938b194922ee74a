// `deft predict`: one JSON line for each text.
import { accessSync, constants, createReadStream } from "node:fs";
import { textLines } from "../../data/index.ts";
import { ConfigError, DataError, DeftError, FileError } from "../../errors.ts";
import { toJson } from "../../report/index.ts";
import type { PredictInput } from "../../workflow/index.ts";
import type { Body } from "../command.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal }) => {
  const { text, pair, input, ...rest } = flags;
  const { target, overrides } = readTarget({ args, flags: rest });
  const inputs = readInputs(text, pair, input);
  const workflow = await openWorkflow();
  for await (const prediction of workflow.predictRun(target, inputs, overrides)) {
    terminal.print(JSON.stringify(toJson(prediction)));
  }
  return 0;
};

function readInputs(
  text: unknown,
  pair: unknown,
  input: unknown,
): Iterable<PredictInput> | AsyncIterable<PredictInput> {
  if (typeof text === "string" && input !== undefined) {
    throw new ConfigError([{ path: "--text", expected: "--text or --input", got: "both" }]);
  }
  if (pair !== undefined && text === undefined) {
    throw new ConfigError([{ path: "--pair", expected: "--text beside it", got: "--pair alone" }]);
  }
  if (typeof text === "string") return [typeof pair === "string" ? { text, pair } : { text }];
  if (typeof input === "string" && input !== "-") {
    checkReadable(input);
    return parseLines(input, () => createReadStream(input));
  }
  if (process.stdin.isTTY) {
    throw new ConfigError([{ path: "--text", expected: "--text, --input or lines on standard input", got: "none" }]);
  }
  return parseLines("standard input", () => process.stdin);
}

// before the model is loaded: a wrong name should not cost a minute
function checkReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw unreadable(file, cause as NodeJS.ErrnoException);
  }
}

function unreadable(file: string, cause: NodeJS.ErrnoException): FileError {
  return new FileError(file, `expected a file one may read, got ${cause.code ?? cause.message}`, { cause });
}

/** JSON lines with `text` and `pair`; on standard input a line that does not start with `{` is a text itself. */
async function* parseLines(name: string, open: () => NodeJS.ReadableStream): AsyncGenerator<PredictInput> {
  const stream = () => open() as AsyncIterable<Buffer>;
  try {
    for await (const { text, line } of textLines({ stream }, name))
      if (text.trim() !== "") yield parseLine(name, line, text);
  } catch (cause) {
    throw cause instanceof DeftError ? cause : unreadable(name, cause as NodeJS.ErrnoException);
  }
}

function parseLine(file: string, line: number, content: string): PredictInput {
  if (file === "standard input" && !content.trimStart().startsWith("{")) return { text: content };
  const wrong = (expected: string) =>
    new DataError(file, { line, expected, got: content.length > 60 ? `${content.slice(0, 60)}…` : content });
  let value: { text?: unknown; pair?: unknown } | null;
  try {
    value = JSON.parse(content) as typeof value;
  } catch {
    throw wrong('JSON such as {"text": "…"}');
  }
  if (typeof value !== "object" || typeof value?.text !== "string") throw wrong('a JSON object with "text"');
  if (value.pair !== undefined && typeof value.pair !== "string") throw wrong('"pair" to be text');
  return value.pair === undefined ? { text: value.text } : { text: value.text, pair: value.pair };
}
