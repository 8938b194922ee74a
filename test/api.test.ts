// What the package promises: the names of every door are those of docs/api.md, and package.json opens those doors.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { DOORS, documentedNames, publicNames } from "../scripts/api.ts";
import { camelCase, SETTINGS, SETTINGS_KEYS } from "../src/settings/table/index.ts";

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

/** What users write options as. */
const INTERFACES = [
  "FineTuneOptions",
  "DataSource",
  "DensityOptions",
  "ScoreOptions",
  "CompressRequest",
  "TableOptions",
  "RowSplits",
  "MetricInput",
  "FolderExport",
  "TransformersJsExport",
];

/** Properties of public interfaces with their hover text, as an editor shows them. */
function hoverTexts(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const { config } = ts.readConfigFile(`${ROOT}/tsconfig.json`, (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
  const program = ts.createProgram([`${ROOT}/src/index.ts`], options);
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(`${ROOT}/src/index.ts`)!)!;
  const exported = new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]));
  return new Map(
    INTERFACES.map((name) => {
      const type = checker.getDeclaredTypeOfSymbol(checker.getAliasedSymbol(exported.get(name)!));
      const texts = checker
        .getPropertiesOfType(type)
        .map((of) => [of.name, ts.displayPartsToString(of.getDocumentationComment(checker))] as const);
      return [name, new Map(texts)];
    }),
  );
}

test("every option of the library says what it is where one hovers over it", () => {
  const texts = hoverTexts();
  const silent = [...texts].flatMap(([name, of]) =>
    [...of].filter(([, text]) => text === "").map(([option]) => `${name}.${option}`),
  );
  expect(silent).toEqual([]);
  const fineTune = texts.get("FineTuneOptions")!;
  expect(fineTune.get("batchSize")).toBe(
    "Put this many examples in a batch. A whole number ≥ 1. Default: `32`; squad: 12, seq2seq: 8.",
  );
  expect(fineTune.get("maxNewTokens")).toContain("in place of `maxTargetLength`");
  expect(texts.get("DensityOptions")!.get("targetDensity")).toContain("With `density.weight` auto");
  const plain = SETTINGS_KEYS.filter((key) => SETTINGS[key].option === undefined);
  for (const key of plain) expect([...fineTune.keys()]).toContain(camelCase(key));
});
