// What was measured of exact zeros as Markdown: a row for each task and model, means over seeds with each seed beside them.
import { markdown, mean, percent, signed } from "./markdown.ts";
import type { ZerosTask } from "./zeros-data.ts";

/** One model on the stated examples of its task. */
export interface Measured {
  readonly task: ZerosTask;
  readonly seed: number;
  readonly variant: string;
  readonly density: number | null;
  /** Each MLP was trained alone once it was swapped. */
  readonly isFitted?: boolean;
  readonly examples: number;
  readonly score: number;
  /** Share of activations that are not zero, and that exceed 0.01 in magnitude, on attended tokens: of the encoder, and of a T5's decoder. */
  readonly exact: readonly number[];
  readonly above: readonly number[];
}

/** The rows of a task, in the order in which they are read. */
const ROWS: readonly (Pick<Measured, "variant" | "density" | "isFitted"> & { readonly title: string })[] = [
  { variant: "plain", density: null, title: "plain PEFT" },
  { variant: "paper", density: null, title: "density loss, the model's own activation" },
  ...[0.2, 0.1, 0.05, 0.02].flatMap((density) => [
    { variant: "plain", density, title: `swapped to ${100 * density} %, outputs fitted` },
    { variant: "plain", density, isFitted: true, title: `swapped to ${100 * density} %, MLPs trained alone` },
  ]),
  { variant: "zeros", density: null, title: "trained on real zeros, outputs fitted" },
  { variant: "taught", density: null, title: "trained on real zeros, outputs fitted, plain PEFT as teacher" },
  { variant: "fitted", density: null, title: "trained on real zeros, MLPs trained alone before" },
];

/** The mean over seeds of each stack. */
function stacksOf(own: readonly Measured[], of: (one: Measured) => readonly number[]): string {
  return of(own[0]!)
    .map((_, stack) => percent(mean(own.map((one) => of(one)[stack]!))))
    .join(" / ");
}

/** A table of every task that was measured. */
export function zerosTables(found: readonly Measured[]): string {
  const of = (task: ZerosTask, wanted: Pick<Measured, "variant" | "density" | "isFitted">) =>
    found
      .filter((one) => one.task === task && one.variant === wanted.variant && one.density === wanted.density)
      .filter((one) => (one.isFitted ?? false) === (wanted.isFitted ?? false))
      .sort((a, b) => a.seed - b.seed);
  const tasks = [...new Set(found.map(({ task }) => task))].sort();
  const rows = tasks.flatMap((task) =>
    ROWS.flatMap(({ title, ...wanted }) => {
      const { variant, density } = wanted;
      const own = of(task, wanted);
      if (own.length === 0) return [];
      const dense = of(task, { variant: "plain", density: null });
      const changes = own.flatMap(({ seed, score }) => {
        const other = dense.find((one) => one.seed === seed);
        return other === undefined || variant + density === "plainnull" ? [] : [score - other.score];
      });
      return [
        [
          task,
          title,
          percent(mean(own.map(({ score }) => score))),
          changes.length === 0 ? "" : signed(mean(changes)),
          changes.map((change) => signed(change, 1)).join(" "),
          stacksOf(own, ({ exact }) => exact),
          stacksOf(own, ({ above }) => above),
          own.map(({ seed }) => seed).join(" "),
        ],
      ];
    }),
  );
  return markdown(["task", "model", "score", "change", "by seed", "exact density, %", "above 0.01, %", "seeds"], rows);
}
