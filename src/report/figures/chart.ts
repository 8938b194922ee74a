// Drawing: marks of Observable Plot become one self-contained SVG that reads in light and in dark.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** A figure with the words that go with it. */
export interface Figure {
  /** Stable, for anchors and file names. */
  readonly id: string;
  readonly title: string;
  /** One or two sentences: what is drawn, and what to look at. */
  readonly caption: string;
  /** An `<svg>` whose colours are custom properties of `PALETTE_CSS`. */
  readonly svg: string;
}

/** One named curve; points in drawing order. */
export interface Curve {
  readonly name: string;
  readonly points: readonly Point[];
  readonly color: string;
  /** Drawn with gaps, and hollow in the legend. */
  readonly hollow?: boolean;
  /** Draws the unsmoothed points faintly behind. */
  readonly raw?: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Series colours by index, told apart by colour-blind readers too. */
export function seriesColor(index: number): string {
  return `var(--deft-s${index % SERIES.light.length})`;
}

/** Ordered colours for `index` of 6 steps: weak to strong. */
export function orderedColor(index: number): string {
  return `var(--deft-q${Math.min(index, ORDERED.light.length - 1)})`;
}

const SERIES = {
  light: ["#3567c8", "#d9661f", "#2a8f6b", "#8e55bd", "#b8860b", "#c23b5e", "#4a8fa8", "#6b6b6b"],
  dark: ["#7ea6f5", "#f29a5e", "#5fc9a1", "#c49be8", "#e0b94d", "#f0839e", "#85c6db", "#a8a8a8"],
};
const ORDERED = {
  light: ["#9a9a9a", "#9cc3e6", "#69a5dc", "#3a82cb", "#1f5da8", "#123a73"],
  dark: ["#8a8a8a", "#2f5d94", "#3f7cc0", "#62a0e2", "#94c3f3", "#c9e2fc"],
};

const variables = (of: "light" | "dark") =>
  [...SERIES[of].map((c, i) => `--deft-s${i}:${c}`), ...ORDERED[of].map((c, i) => `--deft-q${i}:${c}`)].join(";");

/** The custom properties that figures use, for `.deft-figure` elements. */
export const PALETTE_CSS =
  `.deft-figure{${variables("light")}}` + `@media(prefers-color-scheme:dark){.deft-figure{${variables("dark")}}}`;

/** The figure's SVG as a file of its own, colours and text colour included. */
export function standaloneSvg({ svg, title }: Figure): string {
  const style =
    `<style>${PALETTE_CSS}.deft-figure{color:#1f2328}` +
    "@media(prefers-color-scheme:dark){.deft-figure{color:#e6edf3}}</style>";
  return svg.replace(/>/, `><title>${escapeText(title)}</title>${style}`);
}

const LEGEND_LINE = 20;

/** Marks as an SVG of `width` × `height`, taller by a legend when there is more than one name. */
export function drawChart({ label, marks, legend = [], width = 620, height = 300, ...options }: Drawing): string {
  const rows = legend.length > 1 ? legendRows(legend, width - 8) : [];
  const top = rows.length * LEGEND_LINE;
  const { document } = parseHTML("<html><body></body></html>");
  const svg = Plot.plot({
    document: document as unknown as NonNullable<Plot.PlotOptions["document"]>,
    width,
    height,
    marginTop: 28,
    marginLeft: 52,
    marginRight: 20,
    marginBottom: 38,
    ...options,
    marks: marks ?? [],
  }) as unknown as { readonly innerHTML: string };
  const drawn = svg.innerHTML.replace(/<style>.*?<\/style>/s, "").replace(/(\.\d{2})\d+(?=[^<>]*>)/g, "$1");
  // the legend stands above the drawing's own top, so that no mark moves for it
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="deft-figure" role="img" aria-label="${escapeText(label)}" ` +
    `viewBox="0 ${-top} ${width} ${height + top}" width="${width}" height="${height + top}" fill="currentColor" ` +
    `font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif" font-size="12" text-anchor="middle">` +
    `${drawn}<g text-anchor="start" transform="translate(0,${-top})">${rows.join("")}</g></svg>`
  );
}

/** A plot with what the wrapper adds: words for screen readers and a legend. */
type Drawing = Omit<Plot.PlotOptions, "width" | "height"> & {
  label: string;
  legend?: readonly LegendEntry[];
  width?: number;
  height?: number;
};

interface LegendEntry {
  readonly name: string;
  readonly color: string;
  readonly hollow?: boolean;
}

function legendRows(legend: readonly LegendEntry[], width: number): string[] {
  const rows: string[][] = [[]];
  let x = 4;
  for (const { name, color, hollow } of legend) {
    // system fonts at 12 px take about 6.6 px a letter
    const step = 18 + name.length * 6.6 + 16;
    if (x + step > width && rows.at(-1)!.length > 0) {
      rows.push([]);
      x = 4;
    }
    const y = (rows.length - 1) * LEGEND_LINE + 10;
    const paint = hollow ? `fill="none" stroke="${color}" stroke-width="2"` : `fill="${color}"`;
    rows
      .at(-1)!
      .push(
        `<circle cx="${x + 6}" cy="${y}" r="5" ${paint}/>` +
          `<text x="${x + 17}" y="${y}" dy="0.35em" fill="currentColor">${escapeText(name)}</text>`,
      );
    x += step;
  }
  return rows.map((row) => row.join(""));
}

/** Curves over a numeric x axis. */
export function drawCurves({
  label,
  curves,
  x,
  y,
  dots = false,
}: {
  label: string;
  curves: readonly Curve[];
  x: Plot.ScaleOptions;
  y: Plot.ScaleOptions;
  dots?: boolean;
}): string {
  const marks = curves.flatMap(({ points, raw, color, hollow }) => [
    ...(raw === undefined
      ? []
      : [Plot.lineY([...raw], { x: "x", y: "y", stroke: color, strokeOpacity: 0.28, strokeWidth: 1 })]),
    Plot.lineY([...points], {
      x: "x",
      y: "y",
      stroke: color,
      strokeWidth: 2,
      ...(hollow ? { strokeDasharray: "5,4" } : {}),
    }),
    ...(dots || points.length === 1 ? [Plot.dot([...points], { x: "x", y: "y", fill: color, r: 3.2 })] : []),
  ]);
  return drawChart({
    label,
    legend: curves,
    x: { ...x },
    y: { grid: true, nice: true, ...y },
    marks,
  });
}

/** At most `limit` points: means of equal runs of neighbours. */
export function thin(points: readonly Point[], limit = 240): Point[] {
  if (points.length <= limit) return [...points];
  const size = points.length / limit;
  return Array.from({ length: limit }, (_, i) => {
    const part = points.slice(Math.floor(i * size), Math.max(Math.floor(i * size) + 1, Math.floor((i + 1) * size)));
    const mean = (of: (point: Point) => number) => part.reduce((sum, point) => sum + of(point), 0) / part.length;
    return { x: mean((p) => p.x), y: mean((p) => p.y) };
  });
}

/** Exponential moving average without the bias towards the start (as Adam corrects its moments). */
export function smooth(points: readonly Point[], decay = 0.9): Point[] {
  let average = 0;
  let weight = 0;
  return points.map(({ x, y }) => {
    average = decay * average + (1 - decay) * y;
    weight = decay * weight + (1 - decay);
    return { x, y: average / weight };
  });
}

/** Text as XML and HTML take it, in content and in quoted attributes. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
