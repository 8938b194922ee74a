// Drawings: two widths, margins that grow with their labels, legends that fit, and series beyond the last colour.
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { shareAxis } from "./axes.ts";
import { drawCurves } from "./figures/chart.ts";
import { seriesColor, seriesDash, seriesShape } from "./palette.ts";
import { fitText, textWidth } from "./text-width.ts";

const drawn = (names: readonly string[], y: Parameters<typeof drawCurves>[0]["y"] = { label: "y", ...shareAxis() }) =>
  drawCurves({
    label: "a <figure>",
    curves: names.map((name, index) => ({
      name,
      color: seriesColor(index),
      dash: seriesDash(index),
      points: [
        { x: 0, y: 0 },
        { x: 1, y: 1 },
      ],
    })),
    x: { label: "x" },
    y,
  });
const svgOf = (text: string) => parseHTML(text).document.querySelector("svg")!;

/** Where the left axis begins, from the place of its tick labels. */
const axisAt = (text: string) =>
  Number(
    /translate\(([\d.]+),/.exec(svgOf(text).querySelector(".y-axis-tick-label text")!.getAttribute("transform")!)![1],
  );

describe("a drawing", () => {
  test("has a name, no named groups, and text of 12 units at both widths", () => {
    const { svg, narrowSvg } = drawn(["a"]);
    for (const text of [svg, narrowSvg]) {
      expect(text.match(/aria-label/g)).toHaveLength(1);
      expect(svgOf(text).getAttribute("aria-label")).toBe("a <figure>");
      expect(text.match(/font-size="(\d+)"/g)).toEqual(['font-size="12"']);
    }
    expect([svg, narrowSvg].map((text) => svgOf(text).getAttribute("width"))).toEqual(["560", "320"]);
  });

  test("makes room for its widest tick label", () => {
    const wide = drawn(["a"], { domain: [0, 1], ticks: [0, 1], tickFormat: () => "123,456,789.00" });
    const short = drawn(["a"], { domain: [0, 1], ticks: [0, 1], tickFormat: () => "1" });
    expect(axisAt(short.svg)).toBe(46);
    expect(axisAt(wide.svg)).toBeGreaterThanOrEqual(9 + textWidth("123,456,789.00", 12));
  });

  test("has a legend row for what does not fit into the one above, and shortens a name as wide as the figure", () => {
    const long =
      "a run with a name that is much longer than a phone is wide, and longer than a column too, ending here";
    const { svg, narrowSvg } = drawn(["one", long, "three"]);
    const names = (text: string) =>
      [...svgOf(text).querySelectorAll("svg > g:last-child > text")].map((label) => label.textContent ?? "");
    for (const [text, width] of [
      [svg, 560],
      [narrowSvg, 320],
    ] as const) {
      const [, shortened] = names(text);
      expect(shortened).toMatch(/^a run with .*….*ending here$/);
      expect(svgOf(text).querySelector("title")?.textContent).toBe(long);
      expect(textWidth(shortened!.replace(long, ""), 12)).toBeLessThan(width);
    }
  });

  test("tells more series apart than there are colours", () => {
    const styles = Array.from({ length: 32 }, (_, index) => `${seriesColor(index)} ${seriesDash(index)}`);
    const points = Array.from({ length: 32 }, (_, index) => `${seriesColor(index)} ${seriesShape(index)}`);
    expect(new Set(styles).size).toBe(32);
    expect(new Set(points).size).toBe(32);
    const names = Array.from({ length: 10 }, (_, index) => `run ${index}`);
    expect(svgOf(drawn(names).svg).querySelectorAll("line[stroke-dasharray]")).toHaveLength(2);
  });
});

test("text is shortened in its middle, at characters, to the width that is asked for", () => {
  expect(fitText("short", 100, 12)).toBe("short");
  const cut = fitText("😀😀😀 a long name 😀😀😀", 100, 12);
  expect(cut).toContain("…");
  expect(textWidth(cut, 12)).toBeLessThanOrEqual(100);
  expect(encodeURIComponent(cut)).toContain("%E2%80%A6");
  expect(fitText("long", 1, 12)).toBe("…");
});
