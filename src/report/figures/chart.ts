// Drawing: marks of Observable Plot become self-contained SVGs, for a column and for a phone, that read in light and in dark.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { PALETTE_CSS, type PointShape } from "../palette.ts";
import { fitText, textWidth } from "../text-width.ts";

/** A figure with the words that go with it. */
export interface Figure extends Drawn {
  /** Stable, for anchors and file names. */
  readonly id: string;
  readonly title: string;
  /** One or two sentences: what is drawn, and what to look at. */
  readonly caption: string;
}

/** A drawing at two widths, both with text of 12 units; colours are custom properties of `PALETTE_CSS`. */
export interface Drawn {
  /** An `<svg>` for a column of 520 pixels or more. */
  readonly svg: string;
  /** An `<svg>` for less: fewer ticks, the same size of text. */
  readonly narrowSvg: string;
}

/** One named curve; points in drawing order. */
export interface Curve {
  readonly name: string;
  readonly points: readonly Point[];
  readonly color: string;
  /** Drawn with gaps, and hollow in the legend. */
  readonly hollow?: boolean;
  /** A dash pattern, for series that share a colour; shown in the legend too. */
  readonly dash?: string;
  /** Draws the unsmoothed points faintly behind. */
  readonly raw?: readonly Point[];
  /** Points with a ring around them: what was kept. */
  readonly rings?: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The figure's SVG as a file of its own, colours and text colour included. */
export function standaloneSvg({ svg, title }: Pick<Figure, "svg" | "title">): string {
  const style =
    `<style>${PALETTE_CSS}.deft-figure{color:#1f2328}` +
    "@media(prefers-color-scheme:dark){.deft-figure{color:#e6edf3}}</style>";
  return svg.replace(/>/, `><title>${escapeText(title)}</title>${style}`);
}

const WIDE = 560;
const NARROW = 320;
const LEGEND_LINE = 20;
const FONT_SIZE = 12;
/** Room for descenders of the lowest label. */
const BELOW = 5;
/** Kept between a label and the edge. */
const EDGE = 2;

/** A plot with what the wrapper adds: words for screen readers and a legend. */
export type Drawing = Omit<Plot.PlotOptions, "width" | "height"> & {
  label: string;
  legend?: readonly LegendEntry[];
  height?: number;
};

interface LegendEntry {
  readonly name: string;
  readonly color: string;
  readonly hollow?: boolean;
  readonly dash?: string;
  readonly shape?: PointShape;
}

/** Draws marks at both widths, taller by a legend when there is more than one name; margins grow where a label needs it. */
export function draw(drawing: Drawing | ((narrow: boolean) => Drawing)): Drawn {
  const of = typeof drawing === "function" ? drawing : () => drawing;
  return { svg: drawAt(of(false), WIDE), narrowSvg: drawAt(of(true), NARROW) };
}

function drawAt({ label, marks = [], legend = [], height: wished, ...options }: Drawing, width: number): string {
  const height = wished ?? (width === WIDE ? 300 : 250);
  const rows = legend.length > 1 ? legendRows(legend, width - 8) : [];
  const top = rows.length * LEGEND_LINE;
  const { marginLeft = 46, marginRight = 20 } = options;
  const plot = (left: number, right: number) =>
    plotted({
      marginTop: 28,
      marginBottom: 38,
      ...options,
      width,
      height,
      marginLeft: left,
      marginRight: right,
      marks,
    });
  const first = plot(marginLeft, marginRight);
  const { left, right } = overhang(first, width);
  const svg = left === 0 && right === 0 ? first : plot(marginLeft + left, marginRight + right);
  const drawn = svg.innerHTML
    .replace(/<style>.*?<\/style>/s, "")
    // the picture as a whole has a name; its groups may have none, and keep theirs as a class
    .replace(/ aria-description="[^"]*"/g, "")
    .replace(/ aria-label="([^"]*)"/g, (_, name: string) => ` class="${name.replaceAll(" ", "-")}"`)
    .replace(/(\.\d{2})\d+(?=[^<>]*>)/g, "$1");
  // the legend stands above the drawing's own top, so that no mark moves for it
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="deft-figure" role="img" aria-label="${escapeText(label)}" ` +
    `viewBox="0 ${-top} ${width} ${height + top + BELOW}" width="${width}" height="${height + top + BELOW}" fill="currentColor" ` +
    `font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif" font-size="${FONT_SIZE}" text-anchor="middle">` +
    `${drawn}<g text-anchor="start" transform="translate(0,${-top})">${rows.join("")}</g></svg>`
  );
}

/** The part of the DOM that is used here. */
interface SvgElement {
  readonly innerHTML: string;
  readonly textContent: string | null;
  readonly parentElement: SvgElement | null;
  getAttribute(name: string): string | null;
  querySelectorAll(selector: string): Iterable<SvgElement>;
}

function plotted(options: Plot.PlotOptions): SvgElement {
  const { document } = parseHTML("<html><body></body></html>");
  return Plot.plot({
    ...options,
    document: document as unknown as NonNullable<Plot.PlotOptions["document"]>,
  }) as unknown as SvgElement;
}

/** How far labels reach beyond the left and the right edge. */
function overhang(svg: SvgElement, width: number): { readonly left: number; readonly right: number } {
  let [left, right] = [0, 0];
  for (const text of svg.querySelectorAll("text")) {
    const { x, anchor, isTurned, fontSize } = placeOf(text);
    if (isTurned) continue;
    const size = textWidth(text.textContent ?? "", fontSize);
    const start = x - { start: 0, middle: size / 2, end: size }[anchor];
    left = Math.max(left, EDGE - start);
    right = Math.max(right, start + size + EDGE - width);
  }
  return { left: Math.ceil(left), right: Math.ceil(right) };
}

/** Where a label stands, from its own attributes and those of the groups around it. */
function placeOf(text: SvgElement) {
  let x = Number(text.getAttribute("x") ?? 0);
  let anchor: string | null = null;
  let fontSize: string | null = null;
  let isTurned = false;
  // the outermost element is replaced by our own, with its own size of text
  for (let element: SvgElement | null = text; element?.parentElement != null; element = element.parentElement) {
    const transform = element.getAttribute("transform") ?? "";
    x += Number(/translate\(([-\d.e]+)/.exec(transform)?.[1] ?? 0);
    isTurned ||= transform.includes("rotate");
    anchor ??= element.getAttribute("text-anchor");
    fontSize ??= element.getAttribute("font-size");
  }
  const known = anchor === "start" || anchor === "end" ? anchor : "middle";
  return { x, anchor: known, isTurned, fontSize: Number(fontSize ?? FONT_SIZE) } as const;
}

const SHAPE_PATHS: Readonly<Record<PointShape, string>> = {
  circle: "M5,0A5,5,0,1,1,-5,0A5,5,0,1,1,5,0Z",
  square: "M-4.5,-4.5H4.5V4.5H-4.5Z",
  diamond: "M0,-6L5,0L0,6L-5,0Z",
  triangle: "M0,-5.5L5.5,4H-5.5Z",
};

function legendRows(legend: readonly LegendEntry[], width: number): string[] {
  const rows: string[][] = [[]];
  let x = 4;
  for (const { name, color, hollow = false, dash = "", shape = "circle" } of legend) {
    const mark = dash === "" ? 17 : 32;
    const shown = fitText(name, width - mark - 8, FONT_SIZE);
    const step = mark + textWidth(shown, FONT_SIZE) + 14;
    if (x + step - 14 > width && rows.at(-1)!.length > 0) {
      rows.push([]);
      x = 4;
    }
    const y = (rows.length - 1) * LEGEND_LINE + 10;
    const paint = hollow ? `fill="none" stroke="${color}" stroke-width="2"` : `fill="${color}"`;
    const sample =
      dash === ""
        ? `<path d="${SHAPE_PATHS[shape]}" transform="translate(${x + 6},${y})" ${paint}/>`
        : `<line x1="${x}" x2="${x + 26}" y1="${y}" y2="${y}" stroke="${color}" stroke-width="2.5" stroke-dasharray="${dash}"/>`;
    const title = shown === name ? "" : `<title>${escapeText(name)}</title>`;
    rows
      .at(-1)!
      .push(
        `${sample}<text x="${x + mark}" y="${y}" dy="0.35em" fill="currentColor">${title}${escapeText(shown)}</text>`,
      );
    x += step;
  }
  return rows.map((row) => row.join(""));
}

/** Curves over a numeric x axis; `kept` draws a rule at the place that was kept. */
export function drawCurves({
  label,
  curves,
  x,
  y,
  dots = false,
  kept = null,
}: {
  label: string;
  curves: readonly Curve[];
  x: Plot.ScaleOptions;
  y: Plot.ScaleOptions;
  dots?: boolean;
  kept?: number | null;
}): Drawn {
  const rings = curves.some((curve) => (curve.rings ?? []).length > 0);
  const ring = { name: "kept", color: "currentColor", hollow: true };
  return draw({
    label,
    legend: rings ? [...curves, ring] : curves,
    x: { ...x },
    y: { grid: true, ...y },
    marks: [...(kept === null ? [] : keptRule(kept)), ...curves.flatMap((curve) => curveMarks(curve, dots))],
  });
}

function curveMarks({ points, raw, rings = [], color, hollow = false, dash = "" }: Curve, dots: boolean) {
  const gaps = hollow ? "5,4" : dash;
  return [
    ...(raw === undefined
      ? []
      : [Plot.lineY([...raw], { x: "x", y: "y", stroke: color, strokeOpacity: 0.28, strokeWidth: 1 })]),
    Plot.lineY([...points], {
      x: "x",
      y: "y",
      stroke: color,
      strokeWidth: 2,
      ...(gaps === "" ? {} : { strokeDasharray: gaps }),
    }),
    ...(dots || points.length === 1 ? [Plot.dot([...points], { x: "x", y: "y", fill: color, r: 3.2 })] : []),
    ...(rings.length === 0 ? [] : [Plot.dot([...rings], { x: "x", y: "y", stroke: color, strokeWidth: 2, r: 7 })]),
  ];
}

function keptRule(at: number) {
  return [
    Plot.ruleX([at], { stroke: "currentColor", strokeOpacity: 0.6, strokeDasharray: "3,3" }),
    Plot.text([at], { x: (d: number) => d, frameAnchor: "top", dy: -10, text: ["kept"], fill: "currentColor" }),
  ];
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
