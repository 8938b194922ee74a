// `npm run docs:check`: the built site in Chromium, light and dark, at 1,280 and 400 px: axe's rules, sideways scrolling, search.
// With a folder as argument it leaves a picture of each page there.
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, chromium, type Page } from "playwright-core";
import { ROOT } from "./pages.ts";

const SITE = join(ROOT, "site/dist");
const PAGES = [
  "/",
  "/overview",
  "/tutorial/own-data",
  "/reference/settings",
  "/reference/api/node",
  "/explanation/density",
];
const WIDTHS = [1280, 400] as const;
const SCHEMES = ["light", "dark"] as const;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".woff2": "font/woff2",
};

/** The site as a server of static files gives it: `/a` is `a.html`, `/a/` is `a/index.html`. */
function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = join(SITE, decodeURI((request.url ?? "/").split("?")[0]!));
    const file = [path, `${path}.html`, join(path, "index.html")].find((of) => existsSync(of) && statSync(of).isFile());
    if (file === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** What is wrong with a page as it is shown: axe's violations, and content that is wider than the window. */
async function faultsOf(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes
        .slice(0, 3)
        .map((node) => node.target.join(" "))
        .join("; ")}`,
  );
  const root = "document.documentElement";
  const wider = await page.evaluate<number>(`${root}.scrollWidth - ${root}.clientWidth`);
  return wider > 0 ? [...found, `the page is ${wider} px wider than the window`] : found;
}

async function checkPages(browser: Browser, origin: string, pictures: string | undefined): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of SCHEMES) {
    for (const width of WIDTHS) {
      const context = await browser.newContext({
        colorScheme,
        viewport: { width, height: 900 },
        reducedMotion: "reduce",
      });
      const page = await context.newPage();
      page.on("pageerror", (error) => faults.push(error.message));
      for (const path of PAGES) {
        await page.goto(origin + path, { waitUntil: "networkidle" });
        const place = `${path} (${colorScheme}, ${width} px)`;
        faults.push(...(await faultsOf(page)).map((fault) => `${place}: ${fault}`));
        const name = `${path.replaceAll("/", "-").slice(1) || "home"}-${colorScheme}-${width}.png`;
        if (pictures !== undefined) await page.screenshot({ path: join(pictures, name) });
      }
      await context.close();
    }
  }
  return faults;
}

/** The local search finds a setting's page. */
async function checkSearch(browser: Browser, origin: string): Promise<string[]> {
  const page = await browser.newPage();
  await page.goto(origin, { waitUntil: "networkidle" });
  await page.keyboard.press("Control+KeyK");
  await page.locator("#localsearch-input").fill("keep-neurons");
  const results = page.locator("#localsearch-list li a");
  await results.first().waitFor({ timeout: 10_000 });
  const links = await results.evaluateAll((all) => all.map((link) => link.getAttribute("href") ?? ""));
  return links.some((link) => link.includes("/reference/"))
    ? []
    : [`search: expected a reference page, got ${links.join(", ")}`];
}

const executablePath = [process.env["DEFT_CHROMIUM"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);
if (executablePath === undefined) throw new Error("docs:check: expected Chromium; scripts/browser.sh installs it");
if (!existsSync(SITE)) throw new Error("docs:check: expected site/dist; `npm run docs` builds it");
const pictures = process.argv[2];
if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
const server = await serve();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const faults = [...(await checkPages(browser, origin, pictures)), ...(await checkSearch(browser, origin))];
  for (const fault of faults) console.error(`docs:check: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  else console.log(`docs:check: ${PAGES.length} pages, light and dark, ${WIDTHS.join(" and ")} px: no fault`);
} finally {
  await browser.close();
  server.close();
}
