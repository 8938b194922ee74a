// Questions in one JSON value: SQuAD's articles with paragraphs, or rows of question, context and answers.
import { describe, isObject, type Json, type SquadReader } from "./squad-reader.ts";
import { listedAnswers } from "./squad-rows.ts";

/** Reads a whole document, or an array of its articles or rows. */
export function readDocument(json: unknown, reader: SquadReader): void {
  const data = isObject(json) ? json.data : json;
  if (!Array.isArray(data)) {
    reader.fault({ expected: 'a JSON object with a list "data"', got: describe(data) }, true);
    return;
  }
  const name = isObject(json) ? "data" : "";
  data.forEach((item: unknown, i) => {
    const path = `${name}[${i}]`;
    if (!isObject(item)) reader.fault({ path, expected: "an object", got: describe(item) }, true);
    else if ("question" in item || "context" in item) readFlat(item, path, i, reader);
    else readArticle(item, path, reader);
  });
}

function readFlat(row: Json, path: string, index: number, reader: SquadReader): void {
  const { id = String(index + 1), question, context, answers, is_impossible } = row;
  const found = { id, question, answers: listedAnswers(answers) };
  const text = reader.context(context, { path: `${path}.context` });
  reader.question(is_impossible === undefined ? found : { ...found, is_impossible }, text, { path }, true);
}

function readArticle(article: Json, at: string, reader: SquadReader): void {
  eachOf(article, "paragraphs", at, reader, (paragraph, path) => {
    const context = reader.context(paragraph.context, { path: `${path}.context` });
    eachOf(paragraph, "qas", path, reader, ({ id, question, answers, ...rest }, place) =>
      reader.question({ ...rest, id, question, answers }, context, { path: place }, false),
    );
  });
}

function eachOf(
  holder: Json,
  key: string,
  at: string,
  reader: SquadReader,
  visit: (item: Json, path: string) => void,
): void {
  const path = `${at}.${key}`;
  const items = holder[key];
  if (!Array.isArray(items)) {
    reader.fault({ path, expected: "a list", got: describe(items) }, key === "paragraphs");
    return;
  }
  items.forEach((item: unknown, i) => {
    if (isObject(item)) visit(item, `${path}[${i}]`);
    else reader.fault({ path: `${path}[${i}]`, expected: "an object", got: describe(item) });
  });
}
