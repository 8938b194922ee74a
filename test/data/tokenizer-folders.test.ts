// Folders of every age against transformers, live: the ids of AutoTokenizer, also from the two files that are written for a folder.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoTokenizer, env } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer, readOtherwise, writeTokenizer } from "../../src/data/index.ts";
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
      await writeFiles(again[i]!, written({ "config.json": folder["config.json"] }));
      await writeTokenizer(files, again[i]!, await loadTokenizer(files, folders[i]!), { maxLength: 64 });
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
    const again = await loadTokenizer(files, join(root, `${i}-written`));
    expect(FOLDER_TEXTS.map((one) => again.encode(one, null, { maxLength: null }).ids)).toEqual(ids(null));
    expect(again.maxLength).toBe(64);
  });
});

describe("Transformers.js' AutoTokenizer, of the files that are written for it", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "deft-tokenizers-js-"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  test.each(FOLDERS.map(([name, folder], i) => [name, folder, i] as const))("%s", async (_, folder, i) => {
    const source = join(root, `${i}`);
    await writeFiles(source, written(folder));
    const ours = await loadTokenizer(files, source);
    await writeTokenizer(files, join(root, `${i}-js`), ours, { maxLength: null, forTransformersJs: true });
    env.allowRemoteModels = false;
    env.localModelPath = root;
    const theirs = await AutoTokenizer.from_pretrained(`${i}-js`);
    const otherwise = FOLDER_TEXTS.filter(
      (one) => theirs.encode(one).join() !== ours.encode(one, null, { maxLength: null }).ids.join(),
    );
    // what it cannot be told is said: tokens that must stand alone, words that are spelled like a token when normalised, and
    // a map of SentencePiece that is not the usual one, for which it takes NFKC
    const said = readOtherwise(ours).texts ?? [];
    if (otherwise.length > 0) expect(said).not.toEqual([]);
    const isMapped = ours.files.json.normalizer?.type === "Precompiled";
    expect(otherwise.filter((one) => !(isMapped ? /[\u00c0-\uffff]/ : /tok[12]/i).test(one))).toEqual([]);
    const { ids, typeIds } = ours.encode("license", "the license", { maxLength: null });
    const pair = theirs("license", { text_pair: "the license", return_tensor: false, return_token_type_ids: true });
    expect(pair).toMatchObject({ input_ids: ids });
    if (typeIds.includes(1)) expect(pair).toMatchObject({ token_type_ids: typeIds });
  });
});
