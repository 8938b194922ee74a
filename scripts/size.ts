// Lines of source per room against its budget: `npm run size`. A room over it is a question for review, not an error.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

const BUDGETS: Readonly<Record<string, number>> = {
  errors: 300,
  tensor: 400,
  graph: 1300,
  autodiff: 700,
  onnx: 1900,
  nn: 700,
  models: 1600,
  density: 500,
  optim: 300,
  runtime: 750,
  quant: 700,
  hub: 2700,
  data: 9500,
  peft: 3200,
  tasks: 2900,
  prune: 2200,
  infer: 1700,
  export: 500,
  train: 2200,
  settings: 2800,
  runs: 1100,
  load: 2200,
  evaluate: 700,
  jobs: 6300,
  library: 800,
  report: 4200,
  cli: 3000,
};

/** Lines that are not blank, of sources, of tests, and of comments among the sources. */
interface Size {
  readonly code: number;
  readonly comments: number;
  readonly tests: number;
  readonly files: number;
}

function sizeOf(path: string): Size {
  if (statSync(path).isDirectory()) {
    const inside = readdirSync(path).filter((name) => name !== "generated");
    return inside.map((name) => sizeOf(join(path, name))).reduce(sum, { code: 0, comments: 0, tests: 0, files: 0 });
  }
  if (!path.endsWith(".ts")) return { code: 0, comments: 0, tests: 0, files: 0 };
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  if (path.endsWith(".test.ts")) return { code: 0, comments: 0, tests: lines.length, files: 0 };
  const comments = lines.filter((line) => /^\s*(\/\/|\/\*|\*)/.test(line)).length;
  return { code: lines.length, comments, tests: 0, files: 1 };
}

function sum(a: Size, b: Size): Size {
  return {
    code: a.code + b.code,
    comments: a.comments + b.comments,
    tests: a.tests + b.tests,
    files: a.files + b.files,
  };
}

const rooms = readdirSync(SRC)
  .filter((name) => statSync(join(SRC, name)).isDirectory() || name === "errors.ts")
  .map((name) => ({ room: name.replace(/\.ts$/, ""), ...sizeOf(join(SRC, name)) }));
const total = rooms.reduce<Size>(sum, { code: 0, comments: 0, tests: 0, files: 0 });

console.log("room         files   lines  budget  comments   tests");
for (const { room, files, code, comments, tests } of [...rooms, { room: "total", ...total }]) {
  const budget = room === "total" ? Object.values(BUDGETS).reduce((a, b) => a + b, 0) : BUDGETS[room];
  const over = budget !== undefined && code > budget ? "  over" : "";
  const share = code === 0 ? 0 : Math.round((comments / code) * 100);
  const cells = [files, code, budget ?? "–", `${share} %`, tests].map((cell, i) =>
    String(cell).padStart([5, 8, 8, 10, 8][i]!),
  );
  console.log(room.padEnd(12) + cells.join("") + over);
}
