// How a trained model is used: what it is to the Hugging Face hub, in which format it lies, and an example that runs.

import { draftTask } from "../data/index.ts";
import type { RunRecord } from "../runs/index.ts";
import { methodName, type Settings } from "../settings/index.ts";
import { headRecord, taskNamed } from "../tasks/index.ts";
import { shellLine } from "./page/page.ts";

/** What a model is asked for, as far as its use differs. */
export type CardKind = "classes" | "labels" | "words" | "number" | "span" | "text";

/** In which format a run's trained part lies: a library's, or tensors that deft alone reads. */
export type TrainedFormat = NonNullable<RunRecord["trainedFormat"]>;

interface Kind {
  readonly title: string;
  /** The head of such a model. */
  readonly head: string;
}

const KINDS: Readonly<Record<CardKind, Kind>> = {
  classes: { title: "Text classification", head: "classification" },
  labels: { title: "Multi-label text classification", head: "multi-label" },
  words: { title: "Token classification", head: "token-classification" },
  number: { title: "Text regression", head: "regression" },
  span: { title: "Question answering", head: "span" },
  text: { title: "Text generation", head: "language-model" },
};

/** Whether the model writes text; records of version 0.1.0 tell it by the stacks that were measured. */
function writes({ settings, architecture, result }: RunRecord): boolean {
  if (settings.task === "seq2seq") return true;
  return architecture === undefined ? result?.density.decoder !== undefined : architecture !== "encoder";
}

/** What the run's model is asked for. */
export function cardKind(record: RunRecord): CardKind {
  if (writes(record)) return "text";
  const { kind, asksQuestions } = taskNamed(record.settings.task);
  if (asksQuestions) return "span";
  if (kind === "multi-label") return "labels";
  if (kind === "token-classification") return "words";
  return record.labels.length === 0 ? "number" : "classes";
}

/** The format of the run's trained part, as it was written; of records of version 0.1.0 as that version wrote it. */
export function trainedFormat(record: RunRecord): TrainedFormat {
  const { settings, trainedFormat: noted } = record;
  if (noted !== undefined) return noted;
  switch (settings.method.kind) {
    case "adapter":
      return "adapters";
    case "lora":
      return settings.maskSafe === true ? "tensors" : "peft";
    case "prompt":
      return "peft";
    case "prefix":
      return writes(record) ? "tensors" : "peft";
    default:
      return "tensors";
  }
}

/** Whether training added what no library's format has a place for: gates of MLPs, masks of neurons. */
function hasExtras({ gates, removal }: Settings): boolean {
  return gates?.kind === "sigmoid" || removal !== null;
}

/** Whether other libraries load `adapter/` as it is, and compute what was trained. */
export function isLoadable(record: RunRecord): boolean {
  return trainedFormat(record) !== "tensors" && !hasExtras(record.settings);
}

/** Methods that change the base's own weights, so that `deft export --format merged` can write the whole model. */
const MERGED: ReadonlySet<string> = new Set(["lora", "qlora", "ia3", "head", "full"]);

/** The hub's facts for a card's front matter. */
export function hubFacts(record: RunRecord): {
  readonly pipelineTag: string;
  readonly title: string;
  readonly libraryName: string;
} {
  const { title, head } = KINDS[cardKind(record)];
  const { pipelineTag } = headRecord({ kind: head }).hf;
  const libraries = { peft: "peft", adapters: "adapter-transformers", tensors: "deft-tune" } as const;
  return { pipelineTag, title, libraryName: isLoadable(record) ? libraries[trainedFormat(record)] : "deft-tune" };
}

/** The section on use: the command, what the folder holds, and an example in Python where a library loads it. */
export function usage(record: RunRecord): string {
  const own = `\`\`\`sh\n${predictLine(record)}\n\`\`\``;
  const python = pythonExample(record);
  return [own, formatSentence(record), ...(python === null ? [] : [`\`\`\`python\n${python}\n\`\`\``])].join("\n\n");
}

const TEXT = "a gripping, funny film";
const PAIR = "the film is funny and gripping";
const QUESTION = "Who built it?";
const CONTEXT = "It was built by Ada in 1843.";
const WORDS = "It was built by Ada in 1843 .";

const isPair = ({ task, data }: Settings): boolean => draftTask(task).isPair || data.pairColumn !== null;
const runFolder = ({ output }: Settings): string => output ?? ".";

function predictLine(record: RunRecord): string {
  const { settings } = record;
  const command = ["deft", "predict", runFolder(settings)];
  if (settings.task === "squad") return shellLine([...command, "--question", QUESTION, "--context", CONTEXT]);
  const text = cardKind(record) === "words" ? WORDS : TEXT;
  return shellLine([...command, "--text", text, ...(isPair(settings) ? ["--pair", PAIR] : [])]);
}

function formatSentence(record: RunRecord): string {
  const { settings } = record;
  const format = trainedFormat(record);
  const density =
    settings.density.weight === 0
      ? ""
      : " The density loss is described in `adapter/deft.json`; it changes nothing at inference.";
  if (isLoadable(record)) {
    const caveat = dropsTypes(record)
      ? " Its class for question answering passes no `token_type_ids` on, which BERT needs: use `deft predict`."
      : "";
    return format === "peft"
      ? `\`adapter/\` is in Hugging Face PEFT's format.${caveat}${density}`
      : `\`adapter/\` is in AdapterHub's format; the \`adapters\` library looks for \`.bin\` files unless it is told \`use_safetensors=True\`.${density}`;
  }
  const what = hasExtras(settings)
    ? "`adapter/` holds gates of MLPs or masks of neurons (`deft.safetensors`) that no other library applies"
    : "`adapter/` holds plain tensors under the checkpoint's names (`trained.safetensors`)";
  return MERGED.has(methodName(settings))
    ? `${what}; \`deft export ${runFolder(settings)} --format merged --output ${mergedFolder(settings)}\` writes a folder that transformers loads.${density}`
    : `${what}; deft alone reads it.${density}`;
}

/**
 * Whether peft cannot give the model's own answers: peft 0.21's class for question answering leaves out `token_type_ids`, and
 * virtual tokens work through that class alone.
 */
function dropsTypes(record: RunRecord): boolean {
  return cardKind(record) === "span" && ["prompt", "prefix"].includes(record.settings.method.kind);
}

const mergedFolder = (settings: Settings): string => `${runFolder(settings)}-merged`;

function pythonExample(record: RunRecord): string | null {
  if (!isLoadable(record) && !MERGED.has(methodName(record.settings))) return null;
  if (isLoadable(record) && dropsTypes(record)) return null;
  const { imports, lines } = loading(record);
  return [...imports, "", ...lines, "", ...asking(record)].join("\n");
}

/** Lines that give `model` and `tokenizer`. */
function loading(record: RunRecord): { readonly imports: readonly string[]; readonly lines: readonly string[] } {
  const { settings, labels } = record;
  const autoClass = headRecord({ kind: KINDS[cardKind(record)].head }).hf.autoModelClass;
  // a byte-level tokenizer is to read a text's first word as it read every word
  const options = cardKind(record) === "words" ? ", add_prefix_space=True" : "";
  const transformers = `from transformers import ${autoClass}, AutoTokenizer`;
  if (!isLoadable(record)) {
    return {
      imports: ["import torch", transformers],
      lines: [
        `folder = ${quoted(mergedFolder(settings))}  # written by deft export --format merged`,
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
        `model = ${autoClass}.from_pretrained(folder).eval()`,
      ],
    };
  }
  const classes = `, num_labels=${labels.length}, id2label={${labels.map((label, i) => `${i}: ${quoted(label)}`).join(", ")}}`;
  const head = {
    classes,
    labels: classes,
    words: classes,
    number: ", num_labels=1",
    span: "",
    text: "",
  }[cardKind(record)];
  const base = [
    `base, folder = ${quoted(settings.model)}, ${quoted(`${runFolder(settings)}/adapter`)}`,
    `tokenizer = AutoTokenizer.from_pretrained(base${options})`,
    `model = ${autoClass}.from_pretrained(base${head})`,
  ];
  if (trainedFormat(record) === "peft") {
    const load = "model = PeftModel.from_pretrained(model, folder)";
    return {
      imports: ["import torch", "from peft import PeftModel", transformers],
      lines:
        cardKind(record) === "span"
          ? [
              ...base,
              "# peft's own class for question answering leaves out token_type_ids",
              `${load}.get_base_model().eval()`,
            ]
          : [...base, `${load}.eval()`],
    };
  }
  return {
    imports: ["import adapters", "import torch", transformers],
    lines: [
      ...base,
      "adapters.init(model)",
      "model.load_adapter(folder, use_safetensors=True, set_active=True)",
      ...(cardKind(record) === "text" ? [] : ["model.load_head(folder, use_safetensors=True)"]),
      "model.eval()",
    ],
  };
}

/** Lines that ask `model` and print its answer. */
function asking(record: RunRecord): readonly string[] {
  const { settings, labels } = record;
  const { maxLength, sourcePrefix, maxTargetLength } = settings.data;
  const limits = `return_tensors="pt", truncation=True, max_length=${maxLength}`;
  const texts = [quoted(TEXT), ...(isPair(settings) ? [quoted(PAIR)] : [])].join(", ");
  switch (cardKind(record)) {
    case "classes":
      return [
        `inputs = tokenizer(${texts}, ${limits})`,
        "with torch.no_grad():",
        "    probabilities = model(**inputs).logits[0].softmax(-1)",
        `labels = [${labels.map(quoted).join(", ")}]`,
        "print(labels[int(probabilities.argmax())], float(probabilities.max()))",
      ];
    case "labels":
    case "words":
      return askingForSeveral(record, { texts, limits });
    case "number":
      return [
        `inputs = tokenizer(${texts}, ${limits})`,
        "with torch.no_grad():",
        "    print(float(model(**inputs).logits[0, 0]))",
      ];
    case "span":
      return [
        `question, context = ${quoted(QUESTION)}, ${quoted(CONTEXT)}`,
        `inputs = tokenizer(question, context, return_tensors="pt", truncation="only_second", max_length=${maxLength})`,
        "with torch.no_grad():",
        "    outputs = model(**inputs)",
        "# the best start and end inside the context, the end not before the start",
        "inside = torch.tensor([part == 1 for part in inputs.sequence_ids(0)])",
        "scores = outputs.start_logits[0][:, None] + outputs.end_logits[0][None, :]",
        'scores = scores.masked_fill(~(inside[:, None] & inside[None, :]).triu(), float("-inf"))',
        "start, end = divmod(int(scores.argmax()), scores.shape[1])",
        "print(context[inputs.token_to_chars(0, start).start : inputs.token_to_chars(0, end).end])",
      ];
    case "text": {
      const asked = settings.task === "squad" ? `question: ${QUESTION} context: ${CONTEXT}` : `${sourcePrefix}${TEXT}`;
      const { numBeams, maxNewTokens } = settings.answers;
      const choices = [
        `max_new_tokens=${maxNewTokens ?? maxTargetLength}`,
        ...(numBeams > 1 ? [`num_beams=${numBeams}`] : []),
      ];
      return [
        `inputs = tokenizer(${quoted(asked)}, ${limits})`,
        `written = model.generate(**inputs, ${choices.join(", ")})`,
        "print(tokenizer.decode(written[0], skip_special_tokens=True))",
      ];
    }
  }
}

/** Lines that ask for every label of a text, or for one of each word. */
function askingForSeveral(
  record: RunRecord,
  { texts, limits }: { readonly texts: string; readonly limits: string },
): readonly string[] {
  const labels = `labels = [${record.labels.map(quoted).join(", ")}]`;
  if (cardKind(record) === "labels")
    return [
      `inputs = tokenizer(${texts}, ${limits})`,
      "with torch.no_grad():",
      "    probabilities = model(**inputs).logits[0].sigmoid()",
      labels,
      "print([label for label, probability in zip(labels, probabilities) if probability > 0.5])",
    ];
  return [
    `words = ${quoted(WORDS)}.split()`,
    `inputs = tokenizer(words, is_split_into_words=True, ${limits})`,
    "with torch.no_grad():",
    "    best = model(**inputs).logits[0].argmax(-1)",
    labels,
    "# a word's label stands at its first token",
    "places = inputs.word_ids(0)",
    "print([(word, labels[int(best[places.index(i)])]) for i, word in enumerate(words) if i in places])",
  ];
}

/** A string as Python writes it; JSON's escapes are Python's too. */
const quoted = (text: string): string => JSON.stringify(text);
