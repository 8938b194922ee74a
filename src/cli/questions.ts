// The questions of `deft init`: what a run cannot do without, one after the other, each checked at once.
import { glueTask, isGlueTask } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { METHODS, resolvePartial, TASKS } from "../settings/index.ts";

/** Asks one question; `usual` is what an empty answer means. Null when nobody answers any more. */
export type Ask = (question: string, usual: string) => Promise<string | null>;

/** The settings in `given` with those that were asked for; null when nobody answered. Answers that are refused are asked again. */
export async function askSettings(
  given: Readonly<Record<string, unknown>>,
  ask: Ask,
  say: (text: string) => void,
): Promise<Record<string, unknown> | null> {
  const answers: Record<string, unknown> = { ...given };
  for (const { key, question, usual } of QUESTIONS) {
    while (answers[key] === undefined) {
      const fallback = usual(answers);
      const answer = await ask(question, fallback);
      if (answer === null) return null;
      const words = answer.trim() === "" ? fallback : answer.trim();
      const value = key === "density-weight" && words !== "" ? numberOr(words) : words;
      const refusal = refusalOf(key, value);
      if (refusal === null) answers[key] = value;
      else say(refusal);
    }
  }
  return answers;
}

interface Question {
  readonly key: string;
  readonly question: string;
  readonly usual: (answers: Readonly<Record<string, unknown>>) => string;
}

const QUESTIONS: readonly Question[] = [
  { key: "model", question: "Model: a Hugging Face id, or its folder", usual: () => "FacebookAI/roberta-base" },
  { key: "task", question: `Task: ${TASKS.join(", ")}`, usual: () => "sst2" },
  {
    key: "data",
    question: "Data: GLUE's folder, SQuAD JSON, or a CSV, TSV, JSONL or Parquet file",
    usual: ({ task }) => `data/${isGlueTask(String(task)) ? glueTask(String(task)).folder : String(task)}`,
  },
  { key: "method", question: `Method: ${METHODS.join(", ")}`, usual: () => "lora" },
  { key: "density-weight", question: "Weight of the density loss; 0 is plain fine-tuning", usual: () => "1" },
  {
    key: "output",
    question: "Folder of the run",
    usual: ({ task, method }) => `runs/${String(task)}-${String(method)}`,
  },
];

function refusalOf(key: string, value: unknown): string | null {
  try {
    resolvePartial({ flags: { [key]: value } });
    return null;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.issues
      .map(
        ({ expected, got, didYouMean }) =>
          `expected ${expected}, got ${got}${didYouMean === undefined ? "" : ` (did you mean ${didYouMean}?)`}`,
      )
      .join("\n");
  }
}

const numberOr = (words: string) => (Number.isNaN(Number(words)) ? words : Number(words));
