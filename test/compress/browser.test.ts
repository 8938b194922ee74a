// The exported folder in headless Chromium: Transformers.js over wasm gives the labels and texts that we give.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { env, pipeline } from "@huggingface/transformers";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportOnnx } from "../../src/jobs/export/export-onnx.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { deft } from "../support/command.ts";
import { tinyExamples } from "../support/tiny-model.ts";
import { type TinyRun, tinyRun } from "./support.ts";
import { openTiny, writeVariedT5 } from "./tiny-t5s.ts";

const BROWSER = [process.env.DEFT_CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);
const LIBRARY = fileURLToPath(new URL("../../node_modules/@huggingface/transformers/", import.meta.url));
const NESTED = join(LIBRARY, "node_modules/onnxruntime-web/dist");
const WASM = existsSync(NESTED) ? NESTED : join(LIBRARY, "../../onnxruntime-web/dist");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

const PAGE = `<!doctype html><script type="importmap">
{ "imports": { "onnxruntime-web": "/wasm/ort.all.bundle.min.mjs", "onnxruntime-web/webgpu": "/wasm/ort.all.bundle.min.mjs", "onnxruntime-common": "/wasm/ort.all.bundle.min.mjs" } }
</script><script type="module">
import { env, pipeline } from "/library/transformers.min.js";
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = "/models/";
env.useBrowserCache = false;
env.backends.onnx.wasm.wasmPaths = "/wasm/";
env.backends.onnx.wasm.numThreads = 1;
window.classify = async (name, dtype, texts) => {
  const classifier = await pipeline("text-classification", name, { dtype, device: "wasm" });
  return (await classifier(texts)).map(({ label }) => label);
};
window.write = async (name, dtype, texts) => {
  const writer = await pipeline("text2text-generation", name, { dtype, device: "wasm" });
  const written = [];
  // one by one: in a batch it goes on behind a text's end while others are written
  for (const text of texts) written.push((await writer(text, { max_new_tokens: 10 }))[0].generated_text);
  return written;
};
window.ready = true;
</script>`;

/** Serves the page, the library, its wasm files and the folders of models. */
function serve(models: string): Promise<Server> {
  const roots: Readonly<Record<string, string>> = { library: join(LIBRARY, "dist"), wasm: WASM, models };
  const server = createServer((request, response) => {
    const [, root = "", ...rest] = decodeURI((request.url ?? "/").split("?")[0]!).split("/");
    const file = join(roots[root] ?? models, ...rest);
    const isPage = root === "";
    if (!isPage && (!existsSync(file) || statSync(file).isDirectory())) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": isPage ? "text/html" : (TYPES[extname(file)] ?? "application/octet-stream"),
    });
    response.end(isPage ? PAGE : readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Runs a function of the page in a browser; null where there is none. */
async function inPage<T>(server: Server, calls: readonly (readonly [string, ...unknown[]])[]): Promise<T[] | null> {
  if (BROWSER === undefined) {
    if (process.env.CI) throw new Error("expected Chromium at DEFT_CHROMIUM or /usr/bin/chromium, got nothing");
    return null;
  }
  const browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("requestfailed", (request) => faults.push(request.url()));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("window.ready", undefined, { timeout: 30_000 }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${faults.join("\n")}`);
    });
    const results: T[] = [];
    for (const call of calls)
      results.push(
        await page.evaluate(
          ([name, ...args]) =>
            (globalThis as unknown as Record<string, (...args: unknown[]) => Promise<T>>)[String(name)]!(...args),
          call,
        ),
      );
    return results;
  } finally {
    await browser.close();
  }
}

async function nodeTexts(folder: string, name: string, dtype: "q8" | "q4", texts: readonly string[]) {
  env.allowRemoteModels = false;
  env.localModelPath = `${folder}/`;
  const writer = await pipeline("text2text-generation", name, { dtype });
  const written: string[] = [];
  for (const text of texts) {
    const [first] = (await writer(text, { max_new_tokens: 10 } as object)) as { generated_text: string }[];
    written.push(first!.generated_text);
  }
  await writer.dispose();
  return written;
}

const NEEDS = "needs Chromium at DEFT_CHROMIUM or /usr/bin/chromium";

/** What Transformers.js says in Node. */
async function nodeLabels(folder: string, texts: string[]): Promise<string[]> {
  env.allowRemoteModels = false;
  env.localModelPath = `${dirname(folder)}/`;
  const classify = await pipeline("text-classification", basename(folder), { dtype: "int8" });
  const labels = ((await classify(texts)) as { label: string }[]).map(({ label }) => label);
  await classify.dispose();
  return labels;
}

describe("in a browser", () => {
  let tiny: TinyRun;
  let server: Server;
  beforeAll(async () => {
    tiny = await tinyRun();
    const small = join(tiny.root, "small");
    await deft("compress", tiny.run, "--output", small, "--keep-neurons", "0.5", "--threads", "1", "-q");
    await deft(
      "export",
      small,
      "--format",
      "onnx",
      "--output",
      `${small}-onnx`,
      "--precision",
      "fp32,int8,q4,qdq",
      "-q",
    );
    await writeVariedT5(join(tiny.root, "t5"), "v1.0");
    await writeVariedT5(join(tiny.root, "cut"), "cut v1.1");
    for (const name of ["t5", "cut"])
      await exportOnnx(
        nodeEnvironment(),
        { kind: "model", model: join(tiny.root, name), adapter: null },
        { output: join(tiny.root, `${name}-onnx`), precisions: ["fp32", "int8", "q4"] },
      );
    server = await serve(tiny.root);
  });
  afterAll(() => {
    server.close();
    rmSync(tiny.root, { recursive: true, force: true });
  });

  test("Transformers.js over wasm predicts what deft predicts", async (context) => {
    const texts = tinyExamples(32, 9).map(({ text }) => text);
    const input = join(tiny.root, "texts.jsonl");
    writeFileSync(input, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
    const { out } = await deft("predict", join(tiny.root, "small"), "--input", input);
    const ours = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { label: string }).label);
    const calls = ["fp32", "q8", "q4", "int8"].map((dtype) => ["classify", "small-onnx", dtype, texts] as const);
    const labels = await inPage<string[]>(server, calls);
    if (labels === null) return context.skip(NEEDS);
    expect(labels[0]).toEqual(ours);
    for (const given of labels.slice(1))
      expect(given.filter((label, i) => label === ours[i]).length).toBeGreaterThanOrEqual(28);
    // ranges known beforehand: the same numbers in Node
    expect(labels[3]).toEqual(await nodeLabels(join(tiny.root, "small-onnx"), texts));
  });

  test.for(["t5", "cut"])("Transformers.js over wasm writes what deft writes: %s", async (name, context) => {
    const texts = tinyExamples(24, 9).map(({ text }) => text);
    const { generated, text } = await openTiny(join(tiny.root, name));
    const ours = (await generated(texts, 10)).map(text);
    expect(new Set(ours).size).toBeGreaterThan(8);
    const calls = ["fp32", "q8", "q4"].map((dtype) => ["write", `${name}-onnx`, dtype, texts] as const);
    const written = await inPage<string[]>(server, calls);
    if (written === null) return context.skip(NEEDS);
    expect(written[0]).toEqual(ours);
    // few bits say other things than float32, but begin as in Node; rounding tells later, as each word leads to the next
    const first = (text: string) => text.split(" ")[0];
    for (const [i, dtype] of (["q8", "q4"] as const).entries()) {
      const inNode = await nodeTexts(tiny.root, `${name}-onnx`, dtype, texts);
      const agreeing = inNode.filter((given, at) => first(given) === first(written[i + 1]![at]!)).length;
      expect(agreeing / texts.length).toBeGreaterThanOrEqual(0.75);
    }
  });
});
