// Documents tell the truth: links lead somewhere, and every TypeScript block compiles.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { anchorOf, changeLinks, localLinks, prose } from "../scripts/docs/links.ts";
import { GROUPS, sitePages } from "../scripts/docs/pages.ts";
import { COMMANDS } from "../src/cli/commands.ts";
import { COMMON_FLAGS } from "../src/cli/flags.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DOCUMENTS = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(ROOT, file)));

function anchorsOf(text: string): Set<string> {
  return new Set([...prose(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, heading]) => anchorOf(heading ?? "")));
}

/** Links of a document that lead nowhere. */
function brokenLinks(file: string, text: string): string[] {
  return localLinks(text).flatMap(({ path, anchor }) => {
    const link = `${path}${anchor === undefined ? "" : `#${anchor}`}`;
    const target = path === "" ? join(ROOT, file) : join(ROOT, dirname(file), path);
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

test("every page of docs has its place in the site, once", () => {
  const placed = GROUPS.flatMap(({ files }) => files);
  expect(placed.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  expect(new Set(placed).size).toBe(placed.length);
  const pages = sitePages();
  expect(DOCUMENTS.filter((file) => file.startsWith("docs/") && !pages.has(file))).toEqual([]);
});

/** Command lines of `deft` in a text's blocks for a shell; lines that end with a backslash are joined. */
function commandLines(text: string): string[][] {
  const blocks = [...text.matchAll(/^```(?:sh|bash|dockerfile)\n([\s\S]*?)^```/gm)].map(([, code = ""]) => code);
  const lines = blocks.flatMap((code) => code.replace(/\\\n/g, " ").split("\n"));
  return lines.flatMap((line) => {
    const called = /(?:^|&& |RUN )(?:npx )?deft (.+)$/.exec(
      line.replace(/^(?:[A-Z_]+=\S+ )+/, "").replace(/\s#.*$/, ""),
    );
    const words = called?.[1]?.match(/"[^"]*"|'[^']*'|\S+/g);
    return words === undefined || words === null ? [] : [words];
  });
}

/** What is wrong with a command line: a command that is not there, or a flag that it does not have. */
function unknownWords([name = "", ...words]: readonly string[]): string[] {
  const command = COMMANDS.find((of) => of.name === name);
  if (command === undefined) return [`deft ${name}: no such command`];
  const flags = new Set([...command.flags, ...COMMON_FLAGS].flatMap(({ name }) => [`--${name}`, `--no-${name}`]));
  const given = words.filter((word) => word.startsWith("--") && word !== "--help");
  return given.filter((flag) => !flags.has(flag)).map((flag) => `deft ${name}: no flag ${flag}`);
}

test("every command line in the documents names commands and flags that are there", () => {
  const lines = DOCUMENTS.flatMap((file) =>
    commandLines(readFileSync(join(ROOT, file), "utf8")).map((words) => ({ file, words })),
  );
  expect(lines.length).toBeGreaterThan(60);
  expect(lines.flatMap(({ file, words }) => unknownWords(words).map((fault) => `${file}: ${fault}`))).toEqual([]);
});

test("the command check sees what is not there", () => {
  const text = '```sh\nnpx deft trian --model x\nA=1 deft train \\\n  --modle x --model "--no"\n```\n';
  expect(commandLines(text).flatMap(unknownWords)).toEqual([
    "deft trian: no such command",
    "deft train: no flag --modle",
  ]);
});

test("links are led to pages of the site, and others to the repository or to plain text", () => {
  const page = { file: "docs/how-to/a.md", page: "how-to/a.md", pages: new Map([["docs/x/b.md", "x/b.md"]]) };
  const text = "[b](../x/b.md#h) [`c`](../../src/c.ts) [d](https://e.org) [e](#e)\n```ts\nf[0](g)\n```\n";
  expect(changeLinks(text, { ...page, repository: undefined })).toBe(
    text.replace("../x/b.md#h", "../x/b.md#h").replace("[`c`](../../src/c.ts)", "`c`"),
  );
  expect(changeLinks(text, { ...page, repository: "https://r/" })).toContain("[`c`](https://r/src/c.ts)");
});

/** Rows of Markdown tables with another number of cells than their head; a bar inside a cell is written `\\|`. */
function raggedRows(text: string): string[] {
  const cells = (row: string) => row.replace(/\\\|/g, "").split("|").length;
  return [...prose(text).matchAll(/^(\|.*\|)\n\|[ :|-]+\|\n((?:\|.*\|?(?:\n|$))*)/gm)].flatMap(
    ([, head = "", body = ""]) => body.split("\n").filter((row) => row !== "" && cells(row) !== cells(head)),
  );
}

test("every row of a table has as many cells as its head", () => {
  const ragged = DOCUMENTS.flatMap((file) =>
    raggedRows(readFileSync(join(ROOT, file), "utf8")).map((row) => `${file}: ${row}`),
  );
  expect(ragged).toEqual([]);
  expect(raggedRows("| a | b |\n| --- | --- |\n| `x|y` | z |\n| `x\\|y` | z |\n")).toEqual(["| `x|y` | z |"]);
});

test("every test that a guarantee is held by is there", () => {
  const text = readFileSync(join(ROOT, "docs/guarantees.md"), "utf8");
  const named = Array.from(text.matchAll(/`((?:src|test)\/[\w./-]+\.test\.ts)`/g), ([, file]) => file!);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  // every row has one, or a page that lists them
  const rows = text.split("\n").filter((line) => line.startsWith("| ") && !/^\| (promise|---)/.test(line));
  for (const row of rows) expect(row).toMatch(/\.test\.ts`|\]\([\w./-]+\.md\)/);
});
