// Documents tell the truth: links lead somewhere, and every TypeScript block compiles.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DOCUMENTS = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(ROOT, file)));

/** The text without fenced blocks, whose brackets are no links. */
const prose = (text: string) => text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "");

/** GitHub's anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

function anchorsOf(text: string): Set<string> {
  return new Set([...prose(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, heading]) => anchorOf(heading ?? "")));
}

/** Links of a document that lead nowhere, each with its line. */
function brokenLinks(file: string, text: string): string[] {
  return [...prose(text).matchAll(/!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].flatMap(([, link = ""]) => {
    if (/^[a-z][\w+.-]*:/i.test(link)) return [];
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? join(ROOT, file) : join(ROOT, dirname(file), decodeURI(path));
    if (!existsSync(target)) return [`${file}: ${link}: no such file`];
    if (anchor === undefined || !target.endsWith(".md")) return [];
    return anchorsOf(readFileSync(target, "utf8")).has(anchor) ? [] : [`${file}: ${link}: no such heading`];
  });
}

test("every relative link leads to a file and a heading", () => {
  const broken = DOCUMENTS.flatMap((file) => brokenLinks(file, readFileSync(join(ROOT, file), "utf8")));
  expect(broken.join("\n")).toBe("");
});

test("the link check sees what is broken", () => {
  expect(
    brokenLinks("ARCHITECTURE.md", "[a](nowhere.md) [b](#no-such) [c](https://example.org) [d](package.json)"),
  ).toEqual(["ARCHITECTURE.md: nowhere.md: no such file", "ARCHITECTURE.md: #no-such: no such heading"]);
});

/** A document's TypeScript blocks as one program, each on its own lines; a block after `<!-- sketch -->` is no part of it. */
function programOf(file: string, text: string): { name: string; code: string }[] {
  let code = "";
  for (const match of text.matchAll(/(<!-- sketch -->\s*)?^```(?:ts|typescript)\n([\s\S]*?)^```/gm)) {
    if (match[1] !== undefined) continue;
    const line = text.slice(0, match.index).split("\n").length;
    code += "\n".repeat(Math.max(0, line + 1 - code.split("\n").length)) + (match[2] ?? "");
  }
  return code === "" ? [] : [{ name: `${file.replace(/[^\w]/g, "-")}.ts`, code }];
}

/** Type errors of programs, with our package's doors resolved to the sources. */
function typeErrors(programs: readonly { name: string; code: string }[]): string[] {
  const folder = mkdtempSync(join(ROOT, "test", ".docs-"));
  try {
    const files = programs.map(({ name, code }) => {
      writeFileSync(join(folder, name), code);
      return join(folder, name);
    });
    const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), (path) => ts.sys.readFile(path));
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
    const paths = { "deft-tune": ["./src/index.ts"], "deft-tune/*": ["./src/*.ts"] };
    const program = ts.createProgram(files, { ...options, noUnusedLocals: false, noUnusedParameters: false, paths });
    return files.flatMap((file) => {
      const source = program.getSourceFile(file);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return found.map((d) => {
        const line = source === undefined ? 0 : source.getLineAndCharacterOfPosition(d.start ?? 0).line + 1;
        return `${relative(folder, file)}:${line}: ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`;
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("every document's TypeScript compiles", () => {
  const programs = DOCUMENTS.flatMap((file) => programOf(file, readFileSync(join(ROOT, file), "utf8")));
  expect(programs.length).toBeGreaterThan(1);
  expect(typeErrors(programs).join("\n")).toBe("");
});

test("the block check sees what does not compile", () => {
  const text = '# T\n```ts\nimport { nothing } from "deft-tune/node";\nconst n: number = "x";\nexport {};\n```\n';
  const errors = typeErrors(programOf("T.md", text));
  expect(errors).toHaveLength(2);
  expect(errors[0]).toMatch(/^T-md\.ts:3: .*nothing/);
});

test("the README's example is the example that runs", () => {
  const [program] = programOf("README.md", readFileSync(join(ROOT, "README.md"), "utf8"));
  const example = readFileSync(join(ROOT, "examples/03-fine-tune.ts"), "utf8");
  expect(program?.code.trimStart()).toBe(
    example.replace(/^\/\/.*\n/, "").replaceAll("../src/node.ts", "deft-tune/node"),
  );
});

test("the rooms' pages list the files there are", () => {
  execFileSync(process.execPath, ["--import", "tsx", "scripts/rooms.ts", "--check"], { cwd: ROOT, stdio: "pipe" });
});

test("option types and the settings page are those of the table of settings", () => {
  execFileSync(process.execPath, ["--import", "tsx", "scripts/settings-table.ts", "--check"], {
    cwd: ROOT,
    stdio: "pipe",
  });
});
