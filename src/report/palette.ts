// Colours of figures as custom properties, light and dark, and how a series beyond the last colour is told apart.

const SERIES = {
  light: ["#3567c8", "#d9661f", "#2a8f6b", "#8e55bd", "#b8860b", "#c23b5e", "#4a8fa8", "#6b6b6b"],
  dark: ["#7ea6f5", "#f29a5e", "#5fc9a1", "#c49be8", "#e0b94d", "#f0839e", "#85c6db", "#a8a8a8"],
};
const ORDERED = {
  light: ["#9a9a9a", "#9cc3e6", "#69a5dc", "#3a82cb", "#1f5da8", "#123a73"],
  dark: ["#8a8a8a", "#2f5d94", "#3f7cc0", "#62a0e2", "#94c3f3", "#c9e2fc"],
};
const DASHES = ["", "7,4", "2,4", "9,3,2,3"];

/** Series colours by index, told apart by colour-blind readers too; they repeat after the eighth, see `seriesDash`. */
export function seriesColor(index: number): string {
  return `var(--deft-s${index % SERIES.light.length})`;
}

/** The dash pattern of a series by index: none for the first eight, others where the colours repeat. */
export function seriesDash(index: number): string {
  return DASHES[Math.floor(index / SERIES.light.length) % DASHES.length]!;
}

/** Shapes of points; all but the first are used where colours repeat. */
export type PointShape = "circle" | "square" | "diamond" | "triangle";

const SHAPES: readonly PointShape[] = ["circle", "square", "diamond", "triangle"];

/** The shape of a series' points by index: a circle for the first eight, others where the colours repeat. */
export function seriesShape(index: number): PointShape {
  return SHAPES[Math.floor(index / SERIES.light.length) % SHAPES.length]!;
}

/** Ordered colours for `index` of 6 steps: weak to strong. */
export function orderedColor(index: number): string {
  return `var(--deft-q${Math.min(index, ORDERED.light.length - 1)})`;
}

const variables = (of: "light" | "dark") =>
  [...SERIES[of].map((c, i) => `--deft-s${i}:${c}`), ...ORDERED[of].map((c, i) => `--deft-q${i}:${c}`)].join(";");

/** The custom properties that figures use, for `.deft-figure` elements. */
export const PALETTE_CSS =
  `.deft-figure{${variables("light")}}` + `@media(prefers-color-scheme:dark){.deft-figure{${variables("dark")}}}`;
