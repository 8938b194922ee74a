// The heads a model may carry: what it is asked to say.

/** What a model is to say: one class or several, one number, an answer's place in the text, or text. */
export type HeadKind =
  | { readonly kind: "classification"; readonly numLabels: number }
  | { readonly kind: "multi-label"; readonly numLabels: number }
  | { readonly kind: "regression" }
  /** Start and end of an answer in the text; parameters `qa_outputs`. */
  | { readonly kind: "span" }
  /** Text, token by token, of an encoder–decoder. */
  | { readonly kind: "language-model" };

/** The heads that say something of a sequence as a whole. */
export type SequenceHead = Extract<HeadKind, { readonly kind: "classification" | "multi-label" | "regression" }>;

/** Number of logits of an example; 0 where it depends on the text. */
export function numLogits(head: HeadKind): number {
  if (head.kind === "span" || head.kind === "language-model") return 0;
  return head.kind === "regression" ? 1 : head.numLabels;
}
