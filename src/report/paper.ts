// The paper's numbers, to stand beside ours: arXiv 2402.01911 (AAAI 2025).

/** One number of the paper; `value` is a fraction, `where` says which experiment. */
export interface PaperFigure {
  readonly what: "density change" | "density" | "runtime change" | "memory change";
  readonly where: string;
  readonly stack: "encoder" | "decoder" | null;
  readonly value: number;
  readonly note?: string;
}

/** Headline numbers; density changes are positive when sparser, runtime and memory negative when less. */
export const PAPER_FIGURES: readonly PaperFigure[] = [
  {
    what: "density change",
    where: "RoBERTa-large, GLUE",
    stack: "encoder",
    value: 0.4494,
    note: "version 1 of the paper: 50.72 %",
  },
  { what: "density change", where: "Flan-T5-XXL, SQuAD", stack: "encoder", value: 0.5319 },
  { what: "density change", where: "Flan-T5-XXL, SQuAD", stack: "decoder", value: 0.906 },
  { what: "density", where: "Flan-T5-XL with LoRA, PEFT", stack: "encoder", value: 0.9999 },
  { what: "density", where: "Flan-T5-XL with LoRA, DEFT", stack: "encoder", value: 0.6153 },
  { what: "density", where: "Flan-T5-XL with LoRA, PEFT", stack: "decoder", value: 0.9996 },
  { what: "density", where: "Flan-T5-XL with LoRA, DEFT", stack: "decoder", value: 0.187 },
  { what: "runtime change", where: "ADA-DEFT, Flan-T5-XL", stack: null, value: -0.0879 },
  { what: "memory change", where: "ADA-DEFT, Flan-T5-XL", stack: null, value: -0.1746 },
  { what: "runtime change", where: "ADA-DEFT, Flan-T5-XXL", stack: null, value: -0.0279 },
  { what: "memory change", where: "ADA-DEFT, Flan-T5-XXL", stack: null, value: -0.0254 },
];

/** Why the paper's densities are not ours: read before comparing. */
export const PAPER_CAVEAT =
  "The paper counts exact zeros over all positions, padding included; GELU gives an exact zero only where floats round " +
  "to one, and padding is most of the positions. Compare it with our “non-zero, with padding” alone.";
