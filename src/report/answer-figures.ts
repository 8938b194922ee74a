// The figure of a regression's answers: each against its target.
import * as Plot from "@observablehq/plot";
import type { NumberOutcome } from "./answers.ts";
import { decimalTicks, niceDomain, niceTicks } from "./axes.ts";
import { draw, type Figure } from "./figures/chart.ts";
import { count } from "./format.ts";
import { seriesColor } from "./palette.ts";

/** More dots than this hide one another. */
const MOST_DOTS = 1500;

/** Predictions against targets, a dot an example; answers on the line are right. Null with fewer than two examples. */
export function residualFigure(outcomes: readonly NumberOutcome[], id: string): Figure | null {
  if (outcomes.length < 2) return null;
  const every = Math.ceil(outcomes.length / MOST_DOTS);
  const dots = outcomes.filter((_, at) => at % every === 0).map(({ target, prediction }) => ({ target, prediction }));
  const axis = (values: readonly number[]) => {
    const domain = niceDomain(values, null);
    return { domain, grid: true, ...decimalTicks(niceTicks(domain)) };
  };
  const [x, y] = [axis(dots.map(({ target }) => target)), axis(dots.map(({ prediction }) => prediction))];
  const ends = { from: Math.max(x.domain[0], y.domain[0]), to: Math.min(x.domain[1], y.domain[1]) };
  const sample = every === 1 ? "" : ` Every ${count(every)}th of ${count(outcomes.length)} examples is drawn.`;
  return {
    id,
    title: "Answers against targets",
    caption: `Each evaluation example’s answer against its target; on the line they are equal.${sample}`,
    ...draw({
      label: "answers against targets",
      x: { label: "target", ...x },
      y: { label: "answer", ...y },
      marks: [
        ...(ends.from < ends.to
          ? [
              Plot.link([ends], {
                x1: "from",
                y1: "from",
                x2: "to",
                y2: "to",
                stroke: "currentColor",
                strokeOpacity: 0.6,
              }),
            ]
          : []),
        Plot.dot(dots, { x: "target", y: "prediction", fill: seriesColor(0), fillOpacity: 0.55, r: 3 }),
      ],
    }),
  };
}
