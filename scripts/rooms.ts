// The tables of docs/rooms, from the sources: `npm run rooms` writes them, `npm run rooms -- --check` says which are out of step.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RANKS } from "../test/support/rooms.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Every source of a room but its index and its tests, by path under the room. */
function filesOf(room: string, folder = ""): string[] {
  return readdirSync(join(ROOT, "src", room, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === "generated" ? [] : filesOf(room, path);
      return extname(path) === ".ts" && !path.endsWith(".test.ts") && path !== "index.ts" ? [path] : [];
    })
    .sort();
}

/** A file's first comment line, which says what it holds. */
function summaryOf(room: string, file: string): string {
  const [, summary] = /^(?:#!.*\n)?\/\/ (.*)\n/.exec(readFileSync(join(ROOT, "src", room, file), "utf8")) ?? [];
  if (summary === undefined) throw new Error(`src/${room}/${file}: expected a first line that says what it holds`);
  return summary.replaceAll("|", "\\|");
}

/** A room's page with its rank and its table of files as the sources have them. */
function pageOf(room: string, page: string): string {
  const rows = filesOf(room).map((file) => `| [${file}](../../src/${room}/${file}) | ${summaryOf(room, file)} |`);
  const table = ["<!-- files:start -->", "| file | holds |", "| --- | --- |", ...rows, "<!-- files:end -->"];
  return page
    .replace(/<!-- files:start -->[\s\S]*?<!-- files:end -->/, () => table.join("\n"))
    .replace(/ Rank -?\d+: it imports/, ` Rank ${RANKS[room]}: it imports`);
}

const isCheck = process.argv.includes("--check");
const rooms = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
const stale = rooms.filter(({ name }) => {
  const path = join(ROOT, "docs/rooms", `${name}.md`);
  const before = readFileSync(path, "utf8");
  const after = pageOf(name, before);
  if (before !== after && !isCheck) writeFileSync(path, after);
  return before !== after;
});
if (stale.length > 0)
  console.log(`${isCheck ? "out of step" : "written"}: ${stale.map(({ name }) => name).join(", ")}`);
process.exitCode = isCheck && stale.length > 0 ? 1 : 0;
