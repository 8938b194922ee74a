// Rules that change scores before a token is chosen, as transformers' logits processors do, in their order.

/** Names and meanings as transformers' `GenerationConfig`; an absent rule changes nothing. */
export interface LogitRules {
  /** Tokens and series of tokens whose score has a number added where they would be completed. */
  readonly sequenceBias?: readonly (readonly [tokens: readonly number[], bias: number])[];
  /** Scores of tokens of the text that is read are raised by this. */
  readonly encoderRepetitionPenalty?: number;
  /** Scores of tokens that were written, the start token too, are lowered by this. */
  readonly repetitionPenalty?: number;
  /** No series of so many tokens is written twice. */
  readonly noRepeatNgramSize?: number;
  /** No series of so many tokens of the text that is read is written. */
  readonly encoderNoRepeatNgramSize?: number;
  /** Tokens, and series of tokens, that are not written. */
  readonly badWordsIds?: readonly (readonly number[])[];
  /** The first token of every text. */
  readonly forcedBosTokenId?: number | null;
  /** The last token of a text that reaches its most tokens. */
  readonly forcedEosTokenIds?: readonly number[];
  /** From so many tokens on, the end becomes likelier by this factor with each token. */
  readonly exponentialDecayLengthPenalty?: readonly [start: number, factor: number] | null;
  /** Tokens that are not written, and those that no text begins with. */
  readonly suppressTokens?: readonly number[];
  readonly beginSuppressTokens?: readonly number[];
  /** Beams add up log probabilities that are made anew from what the rules leave. */
  readonly renormalizeLogits?: boolean;
}

/** What a choice of the next token depends on besides its scores. */
export interface RuleContext {
  readonly minNewTokens: number;
  readonly maxNewTokens: number;
  readonly startId: number;
  readonly endIds: readonly number[];
  /** Tokens of the text that is read, without padding; only rules about it need them. */
  readonly source: readonly number[];
}

/** Whether a rule looks at the text that is read. */
export function readsSource({ encoderRepetitionPenalty = 1, encoderNoRepeatNgramSize = 0 }: LogitRules): boolean {
  return encoderRepetitionPenalty !== 1 || encoderNoRepeatNgramSize > 0;
}

const NEVER = Number.NEGATIVE_INFINITY;

/**
 * Changes the scores `[V]` of the token after `text` in place: logits, or the log probabilities of a beam.
 * @see transformers 5.23 `GenerationMixin._get_logits_processor`
 */
export function applyRules(scores: Float32Array, rules: LogitRules, text: readonly number[], of: RuleContext): void {
  const { minNewTokens, maxNewTokens, startId, endIds, source } = of;
  const before = [startId, ...text];
  const written = text.length;
  const { repetitionPenalty = 1, encoderRepetitionPenalty = 1 } = rules;
  for (const [tokens, bias] of rules.sequenceBias ?? []) addBias(scores, before, tokens, bias);
  if (encoderRepetitionPenalty !== 1) penalize(scores, source, 1 / encoderRepetitionPenalty);
  if (repetitionPenalty !== 1) penalize(scores, before, repetitionPenalty);
  forbid(scores, continuations(before, before, rules.noRepeatNgramSize ?? 0));
  forbid(scores, continuations(source, before, rules.encoderNoRepeatNgramSize ?? 0));
  for (const tokens of rules.badWordsIds ?? [])
    if (!(tokens.length === 1 && endIds.includes(tokens[0]!))) addBias(scores, before, tokens, NEVER);
  if (written < minNewTokens) forbid(scores, endIds);
  if (written === 0 && (rules.forcedBosTokenId ?? null) !== null) force(scores, [rules.forcedBosTokenId!]);
  if (written === maxNewTokens - 1 && rules.forcedEosTokenIds) force(scores, rules.forcedEosTokenIds);
  if (rules.exponentialDecayLengthPenalty) raiseEnds(scores, rules.exponentialDecayLengthPenalty, written, endIds);
  forbid(scores, rules.suppressTokens ?? []);
  const begin = (rules.forcedBosTokenId ?? null) === null ? 0 : 1;
  if (written === begin) forbid(scores, rules.beginSuppressTokens ?? []);
  if (rules.renormalizeLogits) normalize(scores);
}

/** Makes tokens impossible, in place. */
export function forbid(scores: Float32Array, ids: Iterable<number>): void {
  for (const id of ids) if (id < scores.length) scores[id] = NEVER;
}

/** Makes all other tokens impossible, in place. */
function force(scores: Float32Array, ids: readonly number[]): void {
  scores.fill(NEVER);
  for (const id of ids) scores[id] = 0;
}

/** A negative score times the penalty, another divided by it, once for each token. */
function penalize(scores: Float32Array, tokens: readonly number[], penalty: number): void {
  const factor = Math.fround(penalty);
  for (const id of new Set(tokens)) {
    const score = scores[id]!;
    scores[id] = score < 0 ? score * factor : score / factor;
  }
}

/** Adds to the score of a series' last token where the tokens before it have been written. */
function addBias(scores: Float32Array, before: readonly number[], tokens: readonly number[], bias: number): void {
  const first = tokens.length - 1;
  const last = tokens[first];
  if (last === undefined || last >= scores.length || first > before.length) return;
  const written = before.slice(before.length - first);
  if (written.every((token, i) => token === tokens[i])) scores[last]! += bias;
}

/** What followed the last `size − 1` tokens of `before` wherever they stand in `among`. */
function continuations(among: readonly number[], before: readonly number[], size: number): Set<number> {
  const found = new Set<number>();
  if (size === 0 || before.length + 1 < size) return found;
  const last = before.slice(before.length + 1 - size);
  for (let at = 0; at + size <= among.length; at++)
    if (last.every((token, i) => among[at + i] === token)) found.add(among[at + size - 1]!);
  return found;
}

function raiseEnds(
  scores: Float32Array,
  [start, factor]: readonly [number, number],
  written: number,
  endIds: readonly number[],
): void {
  if (written <= start) return;
  const growth = Math.fround(factor ** (written - start) - 1);
  for (const id of endIds) {
    const score = scores[id]!;
    if (Number.isFinite(score)) scores[id] = score + Math.fround(Math.abs(score) * growth);
  }
}

/** Log probabilities of the scores, in place. */
function normalize(scores: Float32Array): void {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  let total = 0;
  for (const score of scores) total += Math.exp(score - largest);
  const shift = Math.fround(Math.log(total));
  for (let id = 0; id < scores.length; id++) scores[id] = Math.fround(scores[id]! - largest) - shift;
}
