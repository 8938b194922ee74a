// Folders of every age against transformers, live: the ids of AutoTokenizer, also from the two files that are written for a folder.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTokenizer, loadTokenizer, readTokenizerFiles } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { python } from "../hub/python.ts";
import { describeWithPython } from "../support/python.ts";
import { writeFiles } from "../support/tiny-model.ts";
import { FOLDER_TEXTS, FOLDERS, type Folder } from "./tokenizer-folders.ts";

const SCRIPT = `
import json, sys
import transformers
from transformers import AutoTokenizer
transformers.logging.set_verbosity_error()
folders, texts = json.loads(open(sys.argv[1]).read())
def ids(folder):
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        one = [tokenizer(text)["input_ids"] for text in texts]
        return [one, [list(tokenizer(text, "license [USR]")[key] for key in ("input_ids",)) for text in texts]]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
print(json.dumps([ids(folder) for folder in folders]))
`;

const files = nodeFiles();

const text = (content: unknown) => (typeof content === "string" ? content : JSON.stringify(content));
const written = (folder: Folder) =>
  Object.fromEntries(Object.entries(folder).map(([name, content]) => [name, text(content)]));

describeWithPython("transformers' AutoTokenizer", () => {
  let root: string;
  let theirs: readonly unknown[];
  let rewritten: readonly unknown[];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "deft-tokenizers-"));
    const folders: string[] = [];
    const again: string[] = [];
    for (const [i, [, folder]] of FOLDERS.entries()) {
      folders.push(join(root, `${i}`));
      await writeFiles(folders[i]!, written(folder));
      again.push(join(root, `${i}-written`));
      const { json, config } = await readTokenizerFiles(files, folders[i]!);
      const two = {
        "tokenizer.json": { version: "1.0", truncation: null, padding: null, ...json },
        "tokenizer_config.json": config,
      };
      await writeFiles(again[i]!, written({ "config.json": folder["config.json"], ...two }));
    }
    const asked = join(root, "asked.json");
    await writeFiles(root, { "asked.json": JSON.stringify([[...folders, ...again], FOLDER_TEXTS]) });
    const answers = (await python(SCRIPT, [asked])) as unknown[];
    theirs = answers.slice(0, FOLDERS.length);
    rewritten = answers.slice(FOLDERS.length);
  }, 300_000);
  afterAll(() => rm(root, { recursive: true, force: true }));

  test.each(FOLDERS.map(([name], i) => [name, i] as const))("%s", async (_, i) => {
    const ours = await loadTokenizer(files, join(root, `${i}`));
    const ids = (pair: string | null) => FOLDER_TEXTS.map((one) => ours.encode(one, pair, { maxLength: null }).ids);
    const pairs = ids("license [USR]").map((one) => [one]);
    expect([ids(null), pairs]).toEqual(theirs[i]);
    expect(rewritten[i]).toEqual(theirs[i]);
    const { json, config } = await readTokenizerFiles(files, join(root, `${i}-written`));
    const again = createTokenizer(json, config);
    expect(FOLDER_TEXTS.map((one) => again.encode(one, null, { maxLength: null }).ids)).toEqual(ids(null));
  });
});
