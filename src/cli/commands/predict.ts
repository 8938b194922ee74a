// `deft predict`: one JSON line for each text, or a table with the answers.

import { accessSync, constants, createReadStream } from "node:fs";
import { textLines } from "../../data/index.ts";
import { ConfigError, type ConfigIssue, DataError, DeftError, FileError } from "../../errors.ts";
import type { PredictInput } from "../../jobs/index.ts";
import { toJson } from "../../report/index.ts";
import { parseBoundedJson } from "../../tensor/index.ts";
import type { Body } from "../command.ts";
import { readTarget } from "../target.ts";
import { openWorkflow, warned } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { text, pair, question, context, input, output, ...rest } = flags;
  const { target, overrides } = readTarget({ args, flags: rest });
  const file = typeof input === "string" && input !== "-" ? input : null;
  if (output !== undefined && file === null)
    throw new ConfigError([{ path: "--output", expected: "--input FILE beside it", got: "none" }]);
  const inputs = readInputs({ text, pair, question, context, input });
  const workflow = await openWorkflow(terminal);
  if (file !== null && typeof output === "string") {
    const written = await workflow.writePredictions(target, { input: file, output }, overrides, warned(terminal));
    for (const [from, to] of written.renamed) terminal.warn(`The input's column ${from} is called ${to} in ${output}.`);
    terminal.print(json ? JSON.stringify(toJson(written)) : written.file);
    terminal.note(`${written.rows.toLocaleString("en-US")} row${written.rows === 1 ? "" : "s"}`);
    return 0;
  }
  const predictions =
    file === null
      ? workflow.predict(target, inputs, overrides, warned(terminal))
      : workflow.predictFile(target, { input: file, lines: () => inputs as Inputs }, overrides, warned(terminal));
  for await (const prediction of predictions) terminal.print(JSON.stringify(toJson(prediction)));
  return 0;
};

type Inputs = AsyncIterable<PredictInput>;

type InputFlags = Readonly<Record<"text" | "pair" | "question" | "context" | "input", unknown>>;

function readInputs(flags: InputFlags): Iterable<PredictInput> | AsyncIterable<PredictInput> {
  const { text, pair, question, context, input } = flags;
  const issues = inputIssues(flags);
  if (issues.length > 0) throw new ConfigError(issues);
  if (typeof question === "string" && typeof context === "string") return [{ question, context }];
  if (typeof text === "string") return [typeof pair === "string" ? { text, pair } : { text }];
  if (typeof input === "string" && input !== "-") {
    checkReadable(input);
    return parseLines(input, () => createReadStream(input));
  }
  if (process.stdin.isTTY) {
    throw new ConfigError([
      { path: "--text", expected: "--text, --question, --input or lines on standard input", got: "none" },
    ]);
  }
  return parseLines("standard input", () => process.stdin);
}

function inputIssues(flags: InputFlags): ConfigIssue[] {
  const given = (["text", "question", "input"] as const).filter((name) => flags[name] !== undefined);
  const alone = (flag: "pair" | "question" | "context", other: "text" | "question" | "context"): ConfigIssue[] =>
    flags[flag] !== undefined && flags[other] === undefined
      ? [{ path: `--${flag}`, expected: `--${other} beside it`, got: `--${flag} alone` }]
      : [];
  return [
    ...(given.length > 1
      ? [
          {
            path: `--${given[0]}`,
            expected: "one of --text, --question and --input",
            got: `--${given.join(" and --")}`,
          },
        ]
      : []),
    ...alone("pair", "text"),
    ...alone("question", "context"),
    ...alone("context", "question"),
  ];
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

/** JSON lines with `text` and `pair`, `question` and `context`, or `tokens`; on standard input a line that does not start with `{` is a text itself. */
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
  let value: Readonly<Record<"text" | "pair" | "question" | "context" | "tokens" | "words", unknown>> | null;
  try {
    value = parseBoundedJson(content) as typeof value;
  } catch {
    throw wrong('JSON such as {"text": "…"}');
  }
  if (typeof value?.question === "string" && value.text === undefined) {
    if (typeof value.context !== "string") throw wrong('"context" beside "question"');
    return { question: value.question, context: value.context };
  }
  const tokens = value?.tokens ?? value?.words;
  if (tokens !== undefined && value?.text === undefined) {
    if (Array.isArray(tokens) && tokens.length > 0 && tokens.every((token) => typeof token === "string"))
      return { tokens };
    throw wrong('"tokens" to be a list of words');
  }
  if (typeof value !== "object" || typeof value?.text !== "string") {
    throw wrong('a JSON object with "text", with "question" and "context", or with "tokens"');
  }
  if (value.pair !== undefined && typeof value.pair !== "string") throw wrong('"pair" to be text');
  return value.pair === undefined ? { text: value.text } : { text: value.text, pair: value.pair };
}
