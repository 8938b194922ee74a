// One prediction of a model: a JSON line of `deft predict`.

export type Prediction =
  | { readonly label: string; readonly score: number; readonly logits: readonly number[] }
  /** Of several labels: those of a probability above a half, and the probability of each. */
  | {
      readonly labels: readonly string[];
      readonly scores: Readonly<Record<string, number>>;
      readonly logits: readonly number[];
    }
  | { readonly value: number; readonly logits: readonly number[] }
  /** Of a question the answer, empty for none, and its probability; else what was written. */
  | { readonly text: string; readonly score?: number };
