// A model's tokenizer copied beside its weights, as the model was trained to read.
import { readTokenizerFiles, type Tokenizer, type TokenizerJson, withPrefixSpace } from "../data/index.ts";
import { type JsonObject, jsonText, parseJson } from "../hub/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** What travels with a model besides config.json and weights: its tokenizer, and how it writes. */
const SMALL_FILES =
  /^(tokenizer[\w.-]*|vocab\.(txt|json)|merges\.txt|special_tokens_map\.json|added_tokens\.json|spiece\.model|sentencepiece\.bpe\.model|generation_config\.json)$/;

/**
 * Copies a model's tokenizer and settings of generation from one folder to another; gives the files' names. Where `tokenizer` puts a space
 * before a text and the folder's own does not, the copy is told to: a model that labels words has read every word so.
 */
export async function copySmallFiles(
  files: Files,
  from: string,
  to: string,
  tokenizer?: Pick<Tokenizer, "addsPrefixSpace">,
): Promise<string[]> {
  const names = (await files.list(from)).filter((name) => SMALL_FILES.test(name)).sort();
  for (const name of names) await files.write(joinPath(to, name), await files.read(joinPath(from, name)));
  if (tokenizer?.addsPrefixSpace) await addPrefixSpace(files, to);
  return names;
}

/** Tells a folder's byte-level tokenizer to put a space before a text; one that does is left as it is. */
export async function addPrefixSpace(files: Files, folder: string): Promise<void> {
  const { json } = await readTokenizerFiles(files, folder);
  if (json.pre_tokenizer?.type !== "ByteLevel" || json.pre_tokenizer.add_prefix_space === true) return;
  const [whole, config] = ["tokenizer.json", "tokenizer_config.json"].map((name) => joinPath(folder, name)) as [
    string,
    string,
  ];
  if ((await files.stat(whole)) !== null) {
    const stored = parseJson(whole, await files.readText(whole)) as TokenizerJson;
    await files.write(whole, JSON.stringify(withPrefixSpace(stored), null, 2));
  }
  const text = (await files.stat(config)) === null ? "{}" : await files.readText(config);
  await files.write(config, jsonText({ ...(parseJson(config, text) as JsonObject), add_prefix_space: true }));
}
