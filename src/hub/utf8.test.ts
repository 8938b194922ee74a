import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../errors.ts";
import { decodeUtf8 } from "./utf8.ts";

describe("decodeUtf8", () => {
  it("gives text back and drops a byte-order mark", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!text.startsWith("\uFEFF"));
        expect(decodeUtf8("f", new TextEncoder().encode(`\uFEFF${text}`))).toBe(text);
      }),
    );
  });

  it("names the line of the first byte that is not UTF-8, wherever it is", () => {
    const bad = fc.constantFrom(
      [0xff],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
      [0x80],
    );
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "é", "€", "😀", "")), bad, fc.boolean(), (lines, bytes, ends) => {
        const before = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
        const all = Uint8Array.from([...before, ...bytes, ...(ends ? [] : [0x0a, 0xff])]);
        const error = caught(() => decodeUtf8("data.tsv", all));
        expect(error.line).toBe(lines.length + 1);
        expect(error.message).toContain(`at offset ${before.length}`);
      }),
    );
  });

  it("words its message", () => {
    const error = caught(() => decodeUtf8("data.tsv", Uint8Array.of(0x61, 0x0a, 0xe9, 0x0a)));
    expect(error.message).toMatchInlineSnapshot(`
      "data.tsv:2: expected UTF-8 text, got byte 0xe9 at offset 2
      Convert the file, for instance: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
    `);
  });
});

function caught(act: () => unknown): DataError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error("nothing was thrown");
}
