// The ranks of ARCHITECTURE.md as code: who may import whom.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { RANKS } from "./support/rooms.ts";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

/** Files at the root of src that stand outside the ranks, and what they alone may reach past an index. */
const DOORS: readonly string[] = ["index.ts", "node.ts", "web.ts", "graph.ts"];
const BEHIND_DOORS = /^(runtime\/([\w-]+-)?(node|web)|hub\/(files|hub)-(node|web))\.ts$/;

/** Indexes of a part of a room that load nothing of the rest, so that help is printed at once. */
const LIGHT_INDEXES: readonly string[] = ["settings/table/index.ts", "data/expressions/index.ts"];

/** Modules that only some files may name. */
const GUARDED: readonly { readonly module: RegExp; readonly files: RegExp }[] = [
  { module: /^onnxruntime-node$/, files: /^runtime\/engine-node\.ts/ },
  { module: /^onnxruntime-web(\/|$)/, files: /^(runtime\/web\.ts|studio\/)/ },
  {
    module: /^(node:)?(fs|path)(\/|$)/,
    files: /^(node\.ts|runtime\/([\w-]+-)?node\.ts|hub\/[\w-]+-node\.ts|cli\/)/,
  },
  {
    module: /^node:|^(child_process|os|http|https|net|worker_threads)$/,
    files: /^(node\.ts|runtime\/([\w-]+-)?node\.ts|hub\/[\w-]*-node\.ts|hub\/hub-http\.ts|cli\/)/,
  },
];

interface Import {
  /** Path under src, with `/`. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly module: string;
}

/** Every import, export-from and dynamic import of a source. */
function importsOf(file: string, source: string): Import[] {
  const pattern =
    /(?:^|[;\s])(?:import|export)\b[^;'"`]*?\bfrom\s*["']([^"']+)["']|(?:^|[;\s(=>])import\s*\(?\s*["']([^"']+)["']/g;
  const code = source
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|\s)\/\/.*$/gm, "$1");
  return [...code.matchAll(pattern)].map((match) => {
    const line = code.slice(0, match.index + match[0].length).split("\n").length;
    return { file, line, text: source.split("\n")[line - 1]?.trim() ?? "", module: match[1] ?? match[2] ?? "" };
  });
}

/** What is wrong with an import, in words; null when nothing is. */
function fault({ file, module }: Import): string | null {
  if (!module.startsWith(".")) {
    const guard = GUARDED.find((of) => of.module.test(module));
    return guard === undefined || guard.files.test(file) ? null : `only ${guard.files.source} may import ${module}`;
  }
  const target = relative(SRC, resolve(SRC, dirname(file), module))
    .split(sep)
    .join("/");
  if (!/\.(ts|json)$|\/generated\/\w+\.js$/.test(target)) return "imports name a file, with its .ts";
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from === to) return null;
  if (DOORS.includes(file)) {
    return ["errors.ts", "index.ts"].includes(target) || target.endsWith("/index.ts") || BEHIND_DOORS.test(target)
      ? null
      : "a door reaches indexes, runtime/{node,web} and hub/*-node only";
  }
  if (DOORS.includes(target)) return from === "cli" || from === "studio" ? null : "only cli and studio use a door";
  const [rank, below] = [RANKS[from], RANKS[to]];
  if (rank === undefined || below === undefined)
    return `${rank === undefined ? from : to} has no rank: add it to ARCHITECTURE.md and here`;
  if (below === rank) return `${from} and ${to} have the same rank (${rank}) and never import each other`;
  if (below > rank) return `${from} (rank ${rank}) may not import ${to} (rank ${below})`;
  if (to !== "errors" && target !== `${to}/index.ts` && !LIGHT_INDEXES.includes(target))
    return `across rooms only through ${to}/index.ts`;
  return null;
}

function roomOf(path: string): string {
  return path.includes("/") ? (path.split("/")[0] ?? "") : path.replace(/\.ts$/, "");
}

function sourceFiles(folder = SRC): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return name.endsWith(".ts") && !name.endsWith(".test.ts") ? [relative(SRC, path).split(sep).join("/")] : [];
  });
}

const ALL = sourceFiles().flatMap((file) => importsOf(file, readFileSync(join(SRC, file), "utf8")));

test("every import goes to a lower rank, through an index, and to no guarded module", () => {
  const faults = ALL.flatMap((of) => {
    const rule = fault(of);
    return rule === null ? [] : [`src/${of.file}:${of.line}: ${rule}\n    ${of.text}`];
  });
  expect(faults.join("\n")).toBe("");
});

test("no file imports itself by a way round", () => {
  const next = new Map<string, string[]>();
  for (const { file, module, text } of ALL) {
    // types vanish when compiled, so they close no cycle at run time
    if (!module.startsWith(".") || /^(import|export) type\b/.test(text)) continue;
    const target = relative(SRC, resolve(SRC, dirname(file), module))
      .split(sep)
      .join("/");
    next.set(file, [...(next.get(file) ?? []), target]);
  }
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (file: string, path: readonly string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) cycles.push([...path.slice(at), file].join(" → "));
    if (at >= 0 || done.has(file)) return;
    for (const target of next.get(file) ?? []) walk(target, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) walk(file, []);
  expect(cycles.join("\n")).toBe("");
});

test.each([
  ["nn/linear.ts", 'import { x } from "../graph/index.ts";', null],
  ["nn/linear.ts", 'import { x } from "../graph/value.ts";', "across rooms only through graph/index.ts"],
  ["graph/value.ts", 'import type { X } from "../nn/index.ts";', "graph (rank 1) may not import nn (rank 2)"],
  [
    "optim/adamw.ts",
    'export { x } from "../density/index.ts";',
    "optim and density have the same rank (3) and never import each other",
  ],
  [
    "optim/adamw.ts",
    'import {\n  x,\n} from "../quant/index.ts";',
    "optim and quant have the same rank (3) and never import each other",
  ],
  ["train/trainer.ts", 'const f = await import("node:fs");', /^only .* may import node:fs$/],
  ["hub/files-node.ts", 'import { open } from "node:fs/promises";', null],
  ["infer/scorer.ts", 'import * as ort from "onnxruntime-node";', /^only .* may import onnxruntime-node$/],
  ["jobs/load.ts", 'import { nodeFiles } from "../node.ts";', "only cli and studio use a door"],
  ["node.ts", 'export { x } from "./runtime/node.ts";', null],
  [
    "node.ts",
    'export { x } from "./runtime/program.ts";',
    "a door reaches indexes, runtime/{node,web} and hub/*-node only",
  ],
  ["helpers/x.ts", 'import { x } from "../graph/index.ts";', "helpers has no rank: add it to ARCHITECTURE.md and here"],
  ["nn/linear.ts", 'import { x } from "./mlp";', "imports name a file, with its .ts"],
  ["nn/linear.ts", '// import { x } from "../train/index.ts";', undefined],
])("the rules see through %s: %s", (file, source, expected) => {
  const [found] = importsOf(file, source);
  if (expected === undefined) return expect(found).toBeUndefined();
  const rule = fault(found!);
  return expected instanceof RegExp ? expect(rule).toMatch(expected) : expect(rule).toBe(expected);
});
