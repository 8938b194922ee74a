// `npm run api`: writes docs/api.md from the doors, docs/reference/commands.md from the command line.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { commandsPage } from "./docs/reference.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A public name: what it is, and the first sentence of its docstring. */
export interface PublicName {
  readonly name: string;
  readonly kind: "function" | "class" | "value" | "type";
  readonly sentence: string;
}

/** The package's doors and their files. */
export const DOORS = {
  "deft-tune": "src/index.ts",
  "deft-tune/node": "src/node.ts",
  "deft-tune/web": "src/web.ts",
  "deft-tune/graph": "src/graph.ts",
} as const;

/** Every name of every door, sorted; the node and web doors without those they take over from the main one. */
export function publicNames(): ReadonlyMap<string, readonly PublicName[]> {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
  const files = Object.values(DOORS).map((file) => join(ROOT, file));
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  const namesOf = (file: string) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(ROOT, file))!)!;
    const exported = checker.getExportsOfModule(module).map((symbol) => publicName(checker, symbol));
    return exported.sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  const main = new Set(namesOf(DOORS["deft-tune"]).map(({ name }) => name));
  return new Map(
    Object.entries(DOORS).map(([door, file]) => {
      const isFace = door === "deft-tune/node" || door === "deft-tune/web";
      return [door, namesOf(file).filter(({ name }) => !isFace || !main.has(name))];
    }),
  );
}

function publicName(checker: ts.TypeChecker, symbol: ts.Symbol): PublicName {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const text = ts.displayPartsToString(target.getDocumentationComment(checker));
  const sentence = /^[\s\S]*?(?:[.:](?=\s|$)|$)/.exec(text)![0].replace(/\s+/g, " ").replace(/:$/, ".");
  return { name: symbol.name, kind: kindOf(target.flags), sentence };
}

function kindOf(flags: ts.SymbolFlags): PublicName["kind"] {
  if (flags & ts.SymbolFlags.Function) return "function";
  if (flags & ts.SymbolFlags.Class) return "class";
  return flags & ts.SymbolFlags.Variable ? "value" : "type";
}

/** The list as docs/api.md has it: one line a name. */
export function apiDocument(names: ReadonlyMap<string, readonly PublicName[]>): string {
  const parts = [...names].map(([door, list]) => {
    const lines = list.map(
      ({ name, kind, sentence }) => `- \`${name}\` (${kind})${sentence === "" ? "" : `: ${sentence}`}`,
    );
    const more = door === "deft-tune/node" || door === "deft-tune/web" ? "Everything of `deft-tune`, and:\n\n" : "";
    return `## ${door}\n\n${more}${lines.join("\n")}\n`;
  });
  return `# Public names\n\nMade by \`npm run api\`; \`test/api.test.ts\` holds the doors to it.\n\n${parts.join("\n")}`;
}

/** The names and kinds that a docs/api.md lists, door by door, as `name (kind)`. */
export function documentedNames(text: string): ReadonlyMap<string, readonly string[]> {
  const doors = text.split(/^## /m).slice(1);
  return new Map(
    doors.map((part) => {
      const lines = [...part.matchAll(/^- `([^`]+)` \((\w+)\)/gm)];
      return [part.split("\n")[0]!, lines.map(([, name, kind]) => `${name} (${kind})`)];
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(ROOT, "docs/api.md"), apiDocument(publicNames()));
  writeFileSync(join(ROOT, "docs/reference/commands.md"), commandsPage());
}
