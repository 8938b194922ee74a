// Prompt tuning: trained word embeddings in front of the text (Lester et al. 2021), placed and named as in HF PEFT.
import { ConfigError } from "../errors.ts";
import { concat, expand, reshape, type Value } from "../graph/index.ts";
import type { Init } from "../nn/index.ts";
import type { PromptAdapter, VirtualTokenConfig } from "./formats/adapter.ts";
import { fromPeftPrompt, toPeftPrompt } from "./formats/peft-prompt-format.ts";
import { isHead, type Method } from "./method.ts";
import {
  type AdapterFacts,
  type AdapterFormat,
  type MethodRecord,
  type OptionRows,
  option,
  optional,
} from "./record.ts";

export interface PromptOptions {
  /** Trained tokens in front of every text; 60 by default, as in the paper's code. */
  readonly virtualTokens?: number;
  /** How they begin: drawn from N(0, 1), or as the words of `initText`. */
  readonly init?: "random" | "text";
  /** With init `text`: repeated or cut to as many tokens as there are virtual ones. */
  readonly initText?: string | null;
}

/** Settings of prompt tuning as stored. */
export interface PromptSettings {
  readonly kind: "prompt";
  readonly virtualTokens: number;
  readonly init: "random" | "text";
  readonly initText: string | null;
}

/** The setting that prompt and prefix share. */
export const VIRTUAL_TOKENS = option<number>(60);

const OPTIONS = {
  "virtual-tokens": VIRTUAL_TOKENS,
  "prompt-init": option<PromptSettings["init"]>("random"),
  "prompt-init-text": optional<string>(),
} as const satisfies OptionRows;

/** The trained table `[P, D]`, under peft's name. */
export const PROMPT_EMBEDDINGS = "prompt_embeddings";

/**
 * Rows `prompt_embeddings` `[P, D]` in front of the word embeddings: attended, of segment 0, and with positions of their own,
 * so that the text's begin at P. The head reads position 0, the first virtual token, as with peft.
 *
 * `initTokenIds` are the tokens of `initText` with the special ones; only training needs them.
 * @throws {ConfigError} when the number of virtual tokens is no whole number ≥ 1, or text and init contradict each other.
 * @see Lester et al. 2021; HF PEFT `PromptEmbedding`, `PeftModelForSequenceClassification.forward`.
 */
export function prompt(options: PromptOptions = {}, initTokenIds: readonly number[] = []): Method<PromptSettings> {
  const { virtualTokens = VIRTUAL_TOKENS.default, init = OPTIONS["prompt-init"].default, initText = null } = options;
  checkOptions({ virtualTokens, init, initText });
  return {
    settings: { kind: "prompt", virtualTokens, init, initText },
    hooks: {
      inputs(site, input) {
        const [batch, , hiddenSize] = input.words.shape;
        const start: Init =
          init === "random"
            ? { kind: "normal", std: 1 }
            : { kind: "rows", table: input.table, ids: filledWith(initTokenIds, virtualTokens) };
        const rows = site.shared(PROMPT_EMBEDDINGS, [virtualTokens, Number(hiddenSize)], start);
        const filled = (value: number) => expand(site.graph.scalar(value, "int64"), [batch!, virtualTokens]);
        const before = (first: Value, rest: Value) => site.at(() => concat([first, rest], 1));
        const repeated = expand(reshape(rows, [1, ...rows.shape]), [batch!, ...rows.shape]);
        return {
          ...input,
          words: before(repeated, input.words),
          attentionMask: before(filled(1), input.attentionMask),
          typeIds: input.typeIds && before(filled(0), input.typeIds),
          numVirtualTokens: virtualTokens,
        };
      },
    },
    trains: isHead,
    check: () => {},
  };
}

/** `ids` over and over until there are `count`. @see HF PEFT `PromptEmbedding.__init__`. */
function filledWith(ids: readonly number[], count: number): number[] {
  return ids.length === 0 ? [] : Array.from({ length: count }, (_, i) => ids[i % ids.length]!);
}

function checkOptions({ virtualTokens, init, initText }: Required<PromptOptions>): void {
  const issues = virtualTokenIssues(virtualTokens);
  if (init === "text" && !initText?.trim())
    issues.push({ path: "initText", expected: "the text that the prompt begins as", got: "nothing" });
  if (init === "random" && initText !== null)
    issues.push({ path: "initText", expected: 'init: "text", which alone uses it', got: 'init: "random"' });
  if (issues.length > 0) throw new ConfigError(issues);
}

/** What is wrong with a number of virtual tokens. */
export function virtualTokenIssues(virtualTokens: number): { path: string; expected: string; got: string }[] {
  const fits = Number.isInteger(virtualTokens) && virtualTokens >= 1;
  return fits ? [] : [{ path: "virtualTokens", expected: "a whole number ≥ 1", got: String(virtualTokens) }];
}

const FORMAT: AdapterFormat<PromptSettings, PromptAdapter> = {
  library: "peft",
  // P-tuning's encoder is not stored: what is left is a prompt
  peftTypes: ["PROMPT_TUNING", "P_TUNING"],
  toAdapter({ virtualTokens }, tensors, facts) {
    // embeddings need not be as wide as the hidden states
    const hiddenSize = tensors.get(PROMPT_EMBEDDINGS)?.shape[1] ?? facts.hiddenSize;
    return { method: "prompt", config: virtualTokenConfig(virtualTokens, { ...facts, hiddenSize }), tensors };
  },
  toFiles: toPeftPrompt,
  fromFiles: (files, configFile, misfits) => fromPeftPrompt(files, configFile, misfits) as PromptAdapter,
  settingsOf: ({ config: { virtualTokens } }) => prompt({ virtualTokens }).settings,
};

/** Facts about a base as peft's configuration of virtual tokens has them. */
export function virtualTokenConfig(virtualTokens: number, facts: AdapterFacts): VirtualTokenConfig {
  const { hiddenSize, numLayers, numHeads, modulesToSave, taskType, model } = facts;
  return { virtualTokens, hiddenSize, numLayers, numHeads, modulesToSave, taskType, baseModel: model };
}

/** Prompt tuning. */
export const PROMPT = {
  kind: "prompt",
  title: "prompt tuning",
  maker: "prompt()",
  options: OPTIONS,
  learningRate: 1e-2,
  adds: /^prompt_embeddings$/,
  settingsFrom: (values) =>
    prompt({
      virtualTokens: values["virtual-tokens"],
      init: values["prompt-init-text"] === undefined ? values["prompt-init"] : "text",
      initText: values["prompt-init-text"] ?? null,
    }).settings,
  valuesOf: ({ virtualTokens, init, initText }) => ({
    "virtual-tokens": virtualTokens,
    "prompt-init": init,
    ...(initText === null ? {} : { "prompt-init-text": initText }),
  }),
  build: (settings, initTokenIds) => prompt(settings, initTokenIds),
  initText: ({ initText }) => initText,
  virtualTokens: ({ virtualTokens }) => virtualTokens,
  format: FORMAT,
} as const satisfies MethodRecord<PromptSettings, typeof OPTIONS, PromptAdapter>;
