import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../errors.ts";
import { type JsonObject, jsonText, parseJson } from "./json-file.ts";

/** A JSON value with the literals of its numbers. */
type Node =
  | { readonly literal: string }
  | { readonly text: string | boolean | null }
  | { readonly list: readonly Node[] }
  | { readonly members: Readonly<Record<string, Node>> };

const digits = fc.stringMatching(/^(0|[1-9]\d{0,40})$/);
const literal = fc
  .tuple(
    fc.constantFrom("", "-"),
    digits,
    fc.option(fc.stringMatching(/^\d{1,30}$/), { nil: null }),
    fc.option(fc.stringMatching(/^[eE][+-]?\d{1,3}$/), { nil: null }),
  )
  .map(([sign, whole, part, power]) => `${sign}${whole}${part === null ? "" : `.${part}`}${power ?? ""}`);
const key = fc.oneof(
  fc.string(),
  fc.nat({ max: 300 }).map(String),
  fc.constantFrom("__proto__", "a\u2028b", '"', "\\"),
);

const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    literal.map((of) => ({ literal: of })),
    fc.oneof(fc.string(), fc.boolean(), fc.constant(null)).map((text) => ({ text })),
    fc.array(tie("node"), { maxLength: 4 }).map((list) => ({ list })),
    fc.dictionary(key, tie("node"), { maxKeys: 4 }).map((members) => ({ members })),
  ),
}));
const members = fc.dictionary(key, node, { minKeys: 1, maxKeys: 6 });

/** On one line, with space here and there. */
function compact(of: Node): string {
  if ("literal" in of) return of.literal;
  if ("text" in of) return JSON.stringify(of.text);
  if ("list" in of) return `[ ${of.list.map(compact).join(",\n")}]`;
  return `{${Object.keys(of.members)
    .map((name) => `${JSON.stringify(name)} : ${compact(of.members[name]!)}`)
    .join(", ")} }`;
}

/** As `jsonText` lays it out. */
function laidOut(of: Node, indent = ""): string {
  if ("literal" in of || "text" in of) return compact(of);
  const isWhole = (name: string) => /^(0|[1-9]\d*)$/.test(name) && Number(name) < 2 ** 32 - 1;
  const inner = `${indent}  `;
  const keys = "list" in of ? [] : Object.keys(of.members).sort();
  const ordered = [...keys.filter(isWhole).sort((a, b) => Number(a) - Number(b)), ...keys.filter((k) => !isWhole(k))];
  const parts =
    "list" in of
      ? of.list.map((item) => laidOut(item, inner))
      : ordered.map((name) => `${JSON.stringify(name)}: ${laidOut(of.members[name]!, inner)}`);
  const [open, close] = "list" in of ? "[]" : "{}";
  return parts.length === 0 ? `${open}${close}` : `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
}

describe("a JSON file that is read and written again", () => {
  it("keeps every number literal", () => {
    fc.assert(
      fc.property(members, (all) => {
        const parsed = parseJson("config.json", compact({ members: all })) as Record<string, unknown>;
        expect(jsonText(parsed)).toBe(`${laidOut({ members: all })}\n`);
        expect(JSON.stringify(parsed)).toBe(JSON.stringify(JSON.parse(compact({ members: all }))));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps them in copies with other keys", () => {
    fc.assert(
      fc.property(members, fc.integer(), (all, own) => {
        const parsed = parseJson("config.json", compact({ members: all })) as Record<string, unknown>;
        const { "key of ours": _, ...rest } = { ...parsed, "key of ours": 0 };
        const expected = { ...all, "key of ours": { literal: String(own) } };
        expect(jsonText({ ...rest, "key of ours": own })).toBe(`${laidOut({ members: expected })}\n`);
      }),
    );
  });

  it("takes no literal for a number that was set since, nor for the first of two keys", () => {
    const config = parseJson(
      "config.json",
      '{"a": 1.0, "b": 1.0, "c": 2.0, "c": 3, "d": [1.0], "d": {"0": 2}}',
    ) as object;
    expect(JSON.parse(jsonText({ ...config, a: 2 }))).toEqual({ a: 2, b: 1, c: 3, d: { 0: 2 } });
    expect(jsonText({ ...config, a: 2 }).replace(/\s+/g, "")).toBe('{"a":2,"b":1.0,"c":3,"d":{"0":2}}');
  });

  it.each([
    ["1.0", "1.0"],
    ["0.0", "0.0"],
    ["-0", "-0"],
    ["1e-12", "1e-12"],
    ["1e-06", "1e-06"],
    ["1E5", "1E5"],
    ["1e400", "1e400"],
    ["1000000000000000019884624838656", "1000000000000000019884624838656"],
    ["9007199254740993", "9007199254740993"],
    ["0.1", "0.1"],
    ["30522", "30522"],
  ])("writes %s as it is", (read, expected) => {
    expect(jsonText(parseJson("config.json", `{"x": ${read}}`) as JsonObject)).toBe(`{\n  "x": ${expected}\n}\n`);
    expect(jsonText({ list: parseJson("config.json", `[${read}]`) })).toBe(`{\n  "list": [\n    ${expected}\n  ]\n}\n`);
  });

  it("gives floats of this program a point", () => {
    const config = parseJson("config.json", '{"dropout": 0, "rate": 1e-06}') as object;
    const text = jsonText(
      { ...config, scaling: 2, half: 0.5, count: 3 },
      { floats: ["dropout", "scaling", "rate", "half"] },
    );
    expect(text.replace(/\s+/g, "")).toBe('{"count":3,"dropout":0.0,"half":0.5,"rate":1e-06,"scaling":2.0}');
  });

  it("refuses what is nested deeper than any model's file, without a stack overflow", () => {
    const deep = `{"a": ${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    expect(() => parseJson("config.json", deep)).toThrow(DataError);
    expect(() => parseJson("config.json", deep)).toThrow("nested at most 64 deep");
    expect(parseJson("config.json", '{"a": "[[[["}')).toEqual({ a: "[[[[" });
  });
});
