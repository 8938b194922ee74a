// What the package promises: the names of every door are those of docs/api.md, and package.json opens those doors.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { DOORS, documentedNames, publicNames } from "../scripts/api.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NAMES = publicNames();
const DOCUMENTED = documentedNames(readFileSync(join(ROOT, "docs/api.md"), "utf8"));

test.each(Object.keys(DOORS))("%s has the names that docs/api.md lists", (door) => {
  const found = NAMES.get(door)!.map(({ name, kind }) => `${name} (${kind})`);
  const listed = DOCUMENTED.get(door) ?? [];
  const changes = [
    ...found.filter((name) => !listed.includes(name)).map((name) => `+ ${name}`),
    ...listed.filter((name) => !found.includes(name)).map((name) => `- ${name}`),
  ];
  const advice = `The public names of ${door} have changed. If that is meant, run \`npm run api\` and commit docs/api.md.`;
  expect(changes, advice).toEqual([]);
});

test("every public function, class and value says what it is", () => {
  const silent = [...NAMES].flatMap(([door, names]) =>
    names.filter(({ kind, sentence }) => kind !== "type" && sentence === "").map(({ name }) => `${door}: ${name}`),
  );
  expect(silent).toEqual([]);
});

test("package.json opens every door, and ships nothing else", () => {
  const { exports, files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    exports: Record<string, unknown>;
    files: string[];
  };
  const doors = Object.keys(exports).filter((path) => path !== "./package.json");
  expect(doors.map((path) => path.replace(/^\./, "deft-tune"))).toEqual(Object.keys(DOORS));
  expect(files).toEqual(["dist", "assets", "docs", "LICENSE", "NOTICE", "README.md"]);
});

test("every room has a page in docs/rooms, which links to files that are there", () => {
  const rooms = readdirSync(join(ROOT, "src")).filter((name) => statSync(join(ROOT, "src", name)).isDirectory());
  const pages = readdirSync(join(ROOT, "docs/rooms")).map((name) => name.replace(/\.md$/, ""));
  expect(pages.sort()).toEqual(rooms.sort());
});
