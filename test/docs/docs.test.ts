// Documents keep their word: tutorials run and print what they show, examples run, links lead somewhere.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const TUTORIALS = ["docs/tutorial/autodiff.md"];

const names = async (folder: string, end: string) =>
  (await readdir(join(ROOT, folder)).catch(() => []))
    .filter((name) => name.endsWith(end))
    .map((name) => join(folder, name));
const FOLDERS = ["", "docs", "docs/tutorial", "docs/how-to", "docs/reference", "docs/explanation", "docs/rooms"];
const documents = (await Promise.all(FOLDERS.map((folder) => names(folder, ".md")))).flat();
const examples = await names("examples", ".ts");

interface Ran {
  readonly code: number | null;
  readonly printed: string;
}

function runTypeScript(file: string): Promise<Ran> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ["--import", "tsx", file], { cwd: ROOT });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        printed += text;
      });
    }
    child.on("error", fail);
    child.on("close", (code) => done({ code, printed }));
  });
}

/** Fenced blocks of a language, without the fences. */
function blocks(text: string, language: string): string[] {
  return Array.from(text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms")), (match) => match[1]!);
}

describe.each(TUTORIALS)("%s", (path) => {
  it("runs from top to bottom and prints what it shows", async () => {
    const text = await readFile(join(ROOT, path), "utf8");
    const folder = await mkdtemp(join(tmpdir(), "deft-docs-"));
    const source = blocks(text, "ts")
      .join("\n")
      .replace(/"deft-tune\/(\w+)"/g, (_, door) => `"${ROOT}/src/${door}.ts"`);
    await writeFile(join(folder, "tutorial.mts"), source);
    const { code, printed } = await runTypeScript(join(folder, "tutorial.mts"));
    await rm(folder, { recursive: true });
    expect(printed).toBe(blocks(text, "text").join(""));
    expect(code).toBe(0);
  });
});

describe.each(examples)("%s", (path) => {
  it("runs", async () => {
    const { code, printed } = await runTypeScript(join(ROOT, path));
    expect(code, printed).toBe(0);
  });
});

describe.each(documents)("%s", (path) => {
  it("links to files that exist", async () => {
    const text = await readFile(join(ROOT, path), "utf8");
    const targets = Array.from(text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g), (match) => match[1]!);
    const missing: string[] = [];
    for (const target of targets) {
      const found = await stat(join(ROOT, dirname(path), target)).catch(() => null);
      if (!found) missing.push(target);
    }
    expect(missing).toEqual([]);
  });
});
