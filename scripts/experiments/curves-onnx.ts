// Answers of an exported folder in the hands of Transformers.js: what a user of the export gets.
import { basename, dirname } from "node:path";
import { AutoModelForSequenceClassification, AutoTokenizer, env } from "@huggingface/transformers";

/** A text, or a pair of them. */
export interface AskedText {
  readonly text: string;
  readonly pair?: string;
}

const BATCH = 32;

/** Logits of every text, in their order. */
export async function onnxLogits(
  folder: string,
  dtype: "fp32" | "q8",
  texts: readonly AskedText[],
  threads: number,
): Promise<number[][]> {
  env.allowRemoteModels = false;
  env.localModelPath = `${dirname(folder)}/`;
  const name = basename(folder);
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const sessionOptions = { intraOpNumThreads: threads, interOpNumThreads: 1 };
  const model = await AutoModelForSequenceClassification.from_pretrained(name, {
    dtype,
    device: "cpu",
    session_options: sessionOptions,
  });
  const logits: number[][] = [];
  for (let from = 0; from < texts.length; from += BATCH) {
    const batch = texts.slice(from, from + BATCH);
    const pairs = batch.flatMap(({ pair }) => (pair === undefined ? [] : [pair]));
    const inputs = tokenizer(
      batch.map(({ text }) => text),
      { ...(pairs.length > 0 ? { text_pair: pairs } : {}), padding: true, truncation: true, max_length: 128 },
    );
    const output = (await model(inputs)) as { logits: { tolist(): number[][] } };
    logits.push(...output.logits.tolist());
  }
  await model.dispose();
  return logits;
}
