// What messages name exists: commands, their flags, packages and scripts, in every text of the sources.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../src/cli/commands.ts";
import { COMMON_FLAGS } from "../src/cli/flags.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** CSS has custom properties, which look like flags. */
const STYLES = /report\/(.*\/)?(style|chart)\.ts$/;

interface Text {
  readonly place: string;
  readonly text: string;
}

/** String literals of a source file, values in templates as `X`; strings that are added up are one text. */
function textsOf(file: string): Text[] {
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found: Text[] = [];
  const literal = (node: ts.Node): string | null => {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
    if (ts.isTemplateExpression(node))
      return node.head.text + node.templateSpans.map(({ literal: { text } }) => `X${text}`).join("");
    if (ts.isParenthesizedExpression(node)) return literal(node.expression);
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return null;
    const [left, right] = [literal(node.left), literal(node.right)];
    return left === null && right === null ? null : `${left ?? "X"}${right ?? "X"}`;
  };
  const visit = (node: ts.Node): void => {
    const text = literal(node);
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    if (text !== null) found.push({ place: `${file}:${line + 1}`, text });
    if (text === null || ts.isTemplateExpression(node)) ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const TEXTS = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .map((file) => `src/${file.replaceAll("\\", "/")}`)
  .filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !STYLES.test(file) && !file.includes("/generated/"),
  )
  .flatMap(textsOf);

const flagsOf = (command: (typeof COMMANDS)[number]): Set<string> =>
  new Set([...command.flags, ...COMMON_FLAGS].flatMap(({ name }) => [name, `no-${name}`]).concat("help", "version"));
const FLAGS = new Map(COMMANDS.map((command) => [command.name, flagsOf(command)]));
const ALL_FLAGS = new Set([...FLAGS.values()].flatMap((flags) => [...flags]));

/** Flags of Node, of npm and of a shell that texts name. */
const OTHERS = new Set([
  "import",
  "max-old-space-size",
  "global",
  "ignore-scripts",
  "no-audit",
  "no-fund",
  "no-package-lock",
  "no-update-notifier",
  "omit",
  "workspaces",
]);

/** Not what goes on with a value, nor a property of a style. */
const flagNames = (text: string): string[] =>
  [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*[a-z])(?![\w-]*(?:X|:\S))/g)].map(([, name]) => name!);

/** Commands of a text with the flags that stand behind them, up to the end of a sentence. */
function commandsOf(text: string): { readonly name: string; readonly flags: readonly string[] }[] {
  return [...text.matchAll(/(?<![\w/.-])deft ([a-z]+)((?:[^;.`\n,]|\.(?=\S))*)/g)].map(([, name, rest]) => ({
    name: name!,
    flags: flagNames(rest!),
  }));
}

/** Words that follow the program's name in a sentence about it; and the command that completion is. */
const PROSE = new Set([
  "alone",
  "complete",
  "trained",
  "with",
  "stores",
  "or",
  "and",
  "is",
  "does",
  "reads",
  "has",
  "knows",
  "it",
  "needs",
  "made",
  "wrote",
  "loads",
  "to",
  "that",
  "cannot",
  "can",
  "on",
  "here",
  "only",
  "not",
]);

test("every flag that a text names is one", () => {
  const unknown = TEXTS.flatMap(({ place, text }) =>
    flagNames(text).flatMap((flag) => (ALL_FLAGS.has(flag) || OTHERS.has(flag) ? [] : [`${place}: --${flag}`])),
  );
  expect(unknown).toEqual([]);
});

test("every command that a text names is one, and has the flags that stand behind it", () => {
  const wrong = TEXTS.flatMap(({ place, text }) =>
    commandsOf(text).flatMap(({ name, flags }) => {
      const own = FLAGS.get(name);
      if (own === undefined) return PROSE.has(name) ? [] : [`${place}: deft ${name}`];
      return flags.flatMap((flag) => (own.has(flag) ? [] : [`${place}: deft ${name} --${flag}`]));
    }),
  );
  expect(wrong).toEqual([]);
});

test("every package that a text names can be installed, and every script is there", () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    name: string;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
    optionalDependencies?: Record<string, string>;
    peerDependencies?: Record<string, string>;
  };
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = manifest;
  const npm = new Set([
    manifest.name,
    ...Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies }),
  ]);
  const wrong = TEXTS.flatMap(({ place, text }) => [
    ...[...text.matchAll(/npm (?:i|install) (?:--[\w-]+ )*(?!X|--)([@\w/.-]+)/g)].flatMap(([, name]) =>
      npm.has(name!.replace(/(?<=.)@[\w.]+$/, "")) ? [] : [`${place}: npm i ${name}`],
    ),
    ...[...text.matchAll(/(?<![\w/])scripts\/[\w/.-]+\w/g)].flatMap(([path]) =>
      existsSync(join(ROOT, path)) ? [] : [`${place}: ${path}`],
    ),
  ]);
  expect(wrong).toEqual([]);
});

describe("the scan", () => {
  test("sees texts, templates and sums", () => {
    expect(TEXTS.length).toBeGreaterThan(1000);
    expect(TEXTS.some(({ text }) => text === "Finish it first: deft train --output X --resume")).toBe(true);
    expect(flagNames("a --model ID and --no-table, not --X or --ada-X")).toEqual(["model", "no-table"]);
    expect(commandsOf("Or: deft eval X --task sst2; deft frob. Then deft train --foo")).toEqual([
      { name: "eval", flags: ["task"] },
      { name: "frob", flags: [] },
      { name: "train", flags: ["foo"] },
    ]);
  });
});
