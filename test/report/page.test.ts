// Reports of real runs, looked at in a browser: nothing cut, small, or beside its figure, and no violation that axe finds.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findingsOf, hasBrowser, openBrowser, VIEWS, type View } from "../support/browser.ts";
import { deft } from "../support/command.ts";
import { sampleBench } from "../support/compressions.ts";

const RUNS = join(import.meta.dirname, "../golden/runs");

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-report-"));
  await cp(RUNS, folder, { recursive: true });
  await interrupt(join(folder, "deft"), join(folder, "interrupted"));
  await rename(join(folder, "deft"), join(folder, "hard"));
  await writeFile(join(folder, "bench.json"), JSON.stringify(sampleBench(["runs/ada", "runs/small"])));
  if (hasBrowser) browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a run leaves that was stopped behind its second evaluation. */
async function interrupt(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  const events = (await readFile(join(from, "events.jsonl"), "utf8")).split("\n");
  const second = events.findIndex((line) => line.includes('"type":"eval"') && line.includes('"step":20,'));
  await writeFile(join(to, "events.jsonl"), `${events.slice(0, second + 1).join("\n")}\n`);
  const record = JSON.parse(await readFile(join(from, "run.json"), "utf8")) as object;
  await writeFile(join(to, "run.json"), JSON.stringify({ ...record, result: null }));
}

const CLASSES = [
  "a class whose name is as long as a sentence that somebody wrote into a cell",
  "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
  '<b onclick="x()">bold</b> & "quoted"',
  "動物と植物と場所と人物と食べ物",
];

/** The same run with names that are hard to show. */
async function rename(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  const record = JSON.parse(await readFile(join(from, "run.json"), "utf8")) as { labels: string[] };
  const names = new Map(record.labels.map((label, i) => [label, CLASSES[i] ?? label]));
  const lines = (await readFile(join(from, "predictions.jsonl"), "utf8")).trim().split("\n");
  const renamed = lines.map((line) => {
    const outcome = JSON.parse(line) as { prediction: string; target: string; text: string };
    const text = `${outcome.text} ${"x".repeat(120)} </td><script>alert(1)</script>`;
    return JSON.stringify({
      ...outcome,
      text,
      prediction: names.get(outcome.prediction),
      target: names.get(outcome.target),
    });
  });
  await writeFile(join(to, "predictions.jsonl"), renamed.join("\n"));
  await writeFile(join(to, "run.json"), JSON.stringify({ ...record, labels: [...names.values()] }));
}

const ALL = ["peft", "deft", "ada", "removal", "majority", "regression", "questions", "texts", "interrupted", "hard"];
const PAGES: readonly (readonly [name: string, folders: readonly string[], flags: readonly string[]])[] = [
  ["a run of classes", ["deft"], []],
  ["a run with gates", ["ada"], []],
  ["a run that loses neurons", ["removal"], []],
  ["one evaluation, of one answer", ["majority"], []],
  ["a regression", ["regression"], []],
  ["questions", ["questions"], []],
  ["texts of an encoder–decoder", ["texts"], []],
  ["an interrupted run", ["interrupted"], []],
  ["names that are hard to show", ["hard"], []],
  ["two runs that compare", ["peft", "deft"], []],
  ["a compressed model with its run and a benchmark", ["ada", "small"], ["--bench", "bench.json"]],
  ["many runs", [...ALL, "small"], []],
];

const isApart = ({ width, scheme }: View) => width > 1000 === (scheme === "light");

async function pageOf(folders: readonly string[], flags: readonly string[]): Promise<string> {
  const output = join(folder, "report.html");
  const at = (name: string) => (name.startsWith("--") ? name : join(folder, name));
  const { code, err } = await deft("report", ...folders.map(at), ...flags.map(at), "--output", output, "-q");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return readFile(output, "utf8");
}

describe.runIf(hasBrowser).each(PAGES)("%s", (_, folders, flags) => {
  let html: string;
  beforeAll(async () => {
    html = await pageOf(folders, flags);
  });

  // the page of many runs holds every part: it is looked at in all views, the others in two
  test.each(folders.length > 3 ? VIEWS : VIEWS.filter(isApart))("$width px, $scheme", async (view) => {
    const { scrolling, ...wrong } = await findingsOf(browser, html, view);
    expect(wrong).toEqual({ overflow: [], small: [], outside: [], overlapping: [], beyond: [], axe: [] });
    // settings of a dozen runs side by side may need to scroll
    if (view.width >= 1280 && folders.length <= 3) expect(scrolling).toEqual([]);
  });
});

describe.runIf(hasBrowser)("the looking itself", () => {
  const figure = (inside: string) => `<svg viewBox="0 0 600 100" width="300" role="img" aria-label="x">${inside}</svg>`;
  const page = (body: string) =>
    `<!doctype html><html lang="en"><head><title>t</title><style>body{margin:0;font-size:16px}</style></head><body><main><h1>t</h1>${body}</main></body></html>`;
  const clean = { overflow: [], small: [], outside: [], overlapping: [], beyond: [], scrolling: [], axe: [] };

  test("finds nothing on a plain page", async () => {
    const plain = page(`<p>text</p>${figure('<text x="300" y="50" font-size="30">label</text>')}`);
    expect(await findingsOf(browser, plain, VIEWS[0]!)).toEqual(clean);
  });

  test.each<[string, string, keyof typeof clean, RegExp]>([
    ["what is wider than the page", '<p style="width:1400px">wide</p>', "overflow", /wide/],
    ["small text", '<p style="font-size:10px">tiny</p>', "small", /^10\.0 px P tiny/],
    [
      "labels made small by their figure",
      figure('<text x="99" y="50" font-size="20">label</text>'),
      "small",
      /^10\.0 px/,
    ],
    ["labels that are cut", figure('<text x="-20" y="50" font-size="30">label</text>'), "outside", /label/],
    [
      "labels upon one another",
      figure('<text x="20" y="50" font-size="30">one</text><text x="40" y="50" font-size="30">two</text>'),
      "overlapping",
      /one \| two/,
    ],
    [
      "ticks above 100 %",
      figure('<g class="y-axis-tick-label"><text x="20" y="50" font-size="30">105 %</text></g>'),
      "beyond",
      /105 %/,
    ],
    [
      "what scrolls",
      '<div class="scroll" tabindex="0" style="overflow-x:auto"><p style="width:1400px">wide</p></div>',
      "scrolling",
      /wide/,
    ],
    ["what axe finds", "<img src='data:,'>", "axe", /^image-alt/],
  ])("finds %s", async (_, body, kind, pattern) => {
    const found = await findingsOf(browser, page(body), VIEWS[0]!);
    expect(found[kind].join("\n")).toMatch(pattern);
  });
});
