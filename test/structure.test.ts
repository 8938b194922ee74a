// The shape of the sources: no function longer than a screen, and no two files that need each other, types included.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const MOST_LINES = 60;

/** Circles of types that are one thing in two files: a value and its graph, a scope and its hooks. */
const NATURAL: readonly string[] = ["graph/value.ts", "nn/scope.ts"];

const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .map((path) => path.split(sep).join("/"))
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !path.includes("generated/"));

const parsed = new Map(
  sources.map((path) => {
    const text = readFileSync(join(SRC, path), "utf8");
    return [path, ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)];
  }),
);

/** Every function of a source longer than a screen; one inside another counts for both. */
function longFunctions(path: string, source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      const line = (position: number) => source.getLineAndCharacterOfPosition(position).line;
      const lines = line(node.end) - line(node.getStart(source)) + 1;
      const name = node.name?.getText(source) ?? "a function without a name";
      if (lines > MOST_LINES) found.push(`src/${path}:${line(node.getStart(source)) + 1}: ${name} has ${lines} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test(`no function has more than ${MOST_LINES} lines`, () => {
  expect([...parsed].flatMap(([path, source]) => longFunctions(path, source))).toEqual([]);
});

/** Files that a source takes anything from, types too. */
function importsOf(path: string, source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier) || !moduleSpecifier.text.startsWith(".")) return [];
    const target = relative(SRC, resolve(SRC, dirname(path), moduleSpecifier.text));
    return [target.split(sep).join("/")];
  });
}

/** Groups of files that reach each other by their imports, larger than one file. */
function circles(next: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const groups: string[][] = [];
  const visit = (file: string) => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const target of next.get(file) ?? []) {
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1) groups.push(group.sort());
  };
  for (const file of next.keys()) if (!order.has(file)) visit(file);
  return groups;
}

test("no files need each other, types included, but a value and its graph, a scope and its hooks", () => {
  const next = new Map(
    [...parsed].map(([path, source]) => [path, importsOf(path, source).filter((to) => parsed.has(to))]),
  );
  const found = circles(next).filter((group) => !NATURAL.some((file) => group.includes(file)));
  expect(found.map((group) => group.join(", "))).toEqual([]);
});

test("the checks see what they are for", () => {
  const body = "  x();\n".repeat(MOST_LINES);
  const long = ts.createSourceFile("a.ts", `function f() {\n${body}}\n`, ts.ScriptTarget.ES2023, true);
  expect(longFunctions("a.ts", long)).toEqual(["src/a.ts:1: f has 62 lines"]);
  expect(
    circles(
      new Map([
        ["a", ["b"]],
        ["b", ["c"]],
        ["c", ["a"]],
        ["d", ["a"]],
      ]),
    ),
  ).toEqual([["a", "b", "c"]]);
});
