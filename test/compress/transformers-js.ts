// Exported folders in the hands of Transformers.js itself, in Node.
import { dirname } from "node:path";
import { AutoModelForSequenceClassification, AutoTokenizer, env, pipeline } from "@huggingface/transformers";

env.allowRemoteModels = false;

/** Its names of the weights we write. */
export type Dtype = "fp32" | "q8" | "q4" | "int8";

function named(folder: string): string {
  env.localModelPath = `${dirname(folder)}/`;
  return folder.slice(dirname(folder).length + 1);
}

/** Logits of all texts as one padded batch, and the labels that its pipeline gives. */
export async function classified(folder: string, dtype: Dtype, texts: readonly string[]) {
  const name = named(folder);
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const model = await AutoModelForSequenceClassification.from_pretrained(name, { dtype });
  const inputs = tokenizer([...texts], { padding: true, truncation: true });
  const { logits } = (await model(inputs)) as { logits: { tolist(): number[][] } };
  await model.dispose();
  const classify = await pipeline("text-classification", name, { dtype });
  const labels = (await classify([...texts])) as { label: string }[];
  await classify.dispose();
  return { logits: logits.tolist(), labels: labels.map(({ label }) => label) };
}

/** What its pipeline writes for each text, one at a time. */
export async function written(folder: string, dtype: Dtype, texts: readonly string[], maxNewTokens: number) {
  const writer = await pipeline("text2text-generation", named(folder), { dtype });
  const all: string[] = [];
  for (const text of texts) {
    const [first] = (await writer(text, { max_new_tokens: maxNewTokens } as object)) as { generated_text: string }[];
    all.push(first!.generated_text);
  }
  await writer.dispose();
  return all;
}
