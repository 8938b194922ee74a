// A page looked at in headless Chromium: what is cut, too small, beside its figure, or a violation that axe finds.
import { existsSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, chromium } from "playwright-core";

/** How a page is looked at. */
export interface View {
  /** CSS pixels. */
  readonly width: number;
  readonly scheme: "light" | "dark";
}

/** What is wrong with a page, each a list of what it is wrong with. */
export interface Findings {
  /** Elements that reach beyond the page's right edge. */
  readonly overflow: readonly string[];
  /** Texts of an effective size below 11 pixels, scaling of figures included. */
  readonly small: readonly string[];
  /** Labels that reach beyond their figure. */
  readonly outside: readonly string[];
  /** Labels of axes and legends that lie upon one another. */
  readonly overlapping: readonly string[];
  /** Axis labels above 100 %. */
  readonly beyond: readonly string[];
  /** Tables and commands that are wider than the page and scroll in themselves. */
  readonly scrolling: readonly string[];
  readonly axe: readonly string[];
}

/** The views every page must stand: a desk and a phone, light and dark. */
export const VIEWS: readonly View[] = [1280, 400].flatMap((width) =>
  (["light", "dark"] as const).map((scheme) => ({ width, scheme })),
);

const EXECUTABLE = [process.env.DEFT_CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);

/** Whether there is a browser; in CI its absence is a failure, told by `openBrowser`. */
export const hasBrowser = EXECUTABLE !== undefined || process.env.CI !== undefined;

/** Starts Chromium; close it. */
export async function openBrowser(): Promise<Browser> {
  if (EXECUTABLE === undefined) throw new Error("expected Chromium at DEFT_CHROMIUM or /usr/bin/chromium, got nothing");
  return chromium.launch({ executablePath: EXECUTABLE, args: ["--no-sandbox"] });
}

/** Looks at a page that fetches nothing, with everything opened that can be folded away. */
export async function findingsOf(browser: Browser, html: string, { width, scheme }: View): Promise<Findings> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  try {
    const page = await context.newPage();
    await page.setContent(html);
    await page.evaluate(`for (const details of document.querySelectorAll("details")) details.open = true`);
    const found = await page.evaluate<Omit<Findings, "axe">>(`(${measure.toString()})()`);
    const { violations } = await new AxeBuilder({ page }).analyze();
    const axe = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html: node }) => node.slice(0, 120)).join(" ")}`,
    );
    return { ...found, axe };
  } finally {
    await context.close();
  }
}

/** The part of the DOM that is used below, which runs in the page. */
interface PageElement {
  readonly tagName: string;
  readonly textContent: string | null;
  readonly scrollWidth: number;
  readonly clientWidth: number;
  closest(selector: string): PageElement | null;
  getBoundingClientRect(): Box;
  getScreenCTM(): { readonly a: number; readonly b: number } | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  checkVisibility(): boolean;
}
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly width: number;
}
declare const document: PageElement & { readonly documentElement: PageElement };
declare const getComputedStyle: (element: PageElement) => { readonly fontSize: string };
declare const innerWidth: number;

/** Runs in the page, as text: it may use nothing from outside. */
function measure(): Omit<Findings, "axe"> {
  const textOf = (element: PageElement) => (element.textContent ?? "").trim().slice(0, 60);
  const nameOf = (element: PageElement) => `${element.tagName} ${textOf(element)}`;
  const visible = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility());
  const scrolling = visible.filter((e) => e.closest(".scroll, pre") === e && e.scrollWidth > e.clientWidth + 1);
  const overflow =
    document.documentElement.scrollWidth <= innerWidth
      ? []
      : visible.filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && e.closest(".scroll, pre") === null);
  const isLabel = (element: PageElement) => element.tagName.toLowerCase() === "text";
  const labels = visible.filter((element) => isLabel(element) && textOf(element) !== "");
  const sizeOf = (element: PageElement) => {
    const matrix = isLabel(element) ? element.getScreenCTM() : null;
    const scale = matrix === null ? 1 : Math.hypot(matrix.a, matrix.b);
    return scale * Number.parseFloat(getComputedStyle(element).fontSize);
  };
  const hasOwnText = (element: PageElement) =>
    textOf(element) !== "" && [...element.querySelectorAll("*")].every((child) => textOf(child) !== textOf(element));
  const small = visible.filter((e) => hasOwnText(e) && (e.closest("svg") === null || isLabel(e)) && sizeOf(e) < 11);
  const outside = labels.filter((label) => {
    const [own, figure] = [label.getBoundingClientRect(), label.closest("svg")!.getBoundingClientRect()];
    const room = 0.5;
    return (
      own.left < figure.left - room ||
      own.right > figure.right + room ||
      own.top < figure.top - room ||
      own.bottom > figure.bottom + room
    );
  });
  const meet = (a: Box, b: Box) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  const overlapping = [...document.querySelectorAll("svg")].flatMap((figure) => {
    // labels of points are where the points are
    const own = [...figure.querySelectorAll("text")].filter((e) => e.checkVisibility() && e.closest("g.text") === null);
    const boxes = own.map((label) => label.getBoundingClientRect());
    return own.flatMap((label, i) =>
      own.flatMap((other, k) => (k > i && meet(boxes[i]!, boxes[k]!) ? [`${textOf(label)} | ${textOf(other)}`] : [])),
    );
  });
  const ticks = labels.filter((label) => label.closest('[class*="tick-label"]') !== null);
  const beyond = ticks.filter((tick) => textOf(tick).endsWith("%") && Number.parseFloat(textOf(tick)) > 100);
  return {
    overflow: overflow.map(nameOf),
    small: small.map((element) => `${sizeOf(element).toFixed(1)} px ${nameOf(element)}`),
    outside: outside.map(nameOf),
    overlapping,
    beyond: beyond.map(nameOf),
    scrolling: scrolling.map(nameOf),
  };
}
