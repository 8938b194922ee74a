// Text for a terminal, and streams that cannot be written.
import { EventEmitter } from "node:events";
import { describe, expect, test } from "vitest";
import { guardStreams, visible } from "./streams.ts";
import { openTerminal } from "./terminal.ts";

/** Names that a file may have and a terminal would obey. */
const HOSTILE = {
  "a title": "\u001b]0;owned\u0007name",
  "a cleared screen": "a\u001b[2Jb",
  "a moved cursor": "a\u001b[1;1Hb",
  "a bell": "a\u0007b",
  "an overwritten line": "good\rbad",
  backspaces: "good\b\b\b\bbad",
  "one-byte sequences": "a\u009b2Jb\u009d0;t\u009c",
  "a link": "\u001b]8;;http://example.org\u001b\\text\u001b]8;;\u001b\\",
  "a deleted character": "a\u007fb",
};

describe("text for a terminal", () => {
  test.each(Object.entries(HOSTILE))("shows %s as what it is", (_, text) => {
    const shown = visible(text);
    for (const character of shown) expect(character >= " " && character !== "\u007f").toBe(true);
    expect(/[\u0080-\u009f]/.test(shown)).toBe(false);
    expect(shown).toMatch(/\\u00[0-9a-f]{2}/);
  });

  test("keeps lines, tabs, styles and every other character", () => {
    for (const text of ["a\tb\nc", "\u001b[1mbold\u001b[22m \u001b[38;5;208mx\u001b[0m", "é 中 😀 ✓ ─ −1"])
      expect(visible(text)).toBe(text);
  });

  test.each(Object.entries(HOSTILE))("no way of writing lets %s through", (_, text) => {
    const written: string[] = [];
    const screen = { write: (piece: string) => written.push(piece) > 0, isTTY: true, columns: 80 };
    const terminal = openTerminal({ out: screen, err: screen, loudness: "normal" });
    terminal.print(text);
    terminal.note(text);
    terminal.warn(text);
    terminal.live(
      () => text,
      () => text,
    );
    terminal.done();
    // a live line is removed by this command's own sequence
    const all = written.join("").replaceAll("\r\u001b[2K", "");
    expect(all).not.toContain(text);
    expect(visible(all)).toBe(all);
  });

  test("what another program reads is as it is", () => {
    const written: string[] = [];
    openTerminal({ out: { write: (piece: string) => written.push(piece) > 0 } }).print("a\u009bb");
    expect(written).toEqual(["a\u009bb\n"]);
  });
});

describe("streams that cannot be written", () => {
  const open = () => {
    const said: string[] = [];
    const codes: number[] = [];
    const [out, err] = [
      new EventEmitter(),
      Object.assign(new EventEmitter(), { write: (text: string) => said.push(text) }),
    ];
    guardStreams(out, err, (code) => codes.push(code));
    return { out, err, said, codes };
  };
  const error = (code: string) => Object.assign(new Error(`write ${code}`), { code });

  test.each([
    ["EPIPE", [0], ""],
    ["ENOSPC", [1], "standard output: cannot write: expected a place to write, got a full disk\n"],
    ["EIO", [1], "standard output: cannot write: expected a place to write, got write EIO\n"],
  ])("standard output, %s", (code, codes, text) => {
    const streams = open();
    streams.out.emit("error", error(code));
    expect(streams.codes).toEqual(codes);
    expect(streams.said.join("")).toBe(text);
  });

  test.each(["EPIPE", "EIO", "ENOSPC"])("standard error, %s: the work goes on", (code) => {
    const streams = open();
    streams.err.emit("error", error(code));
    expect([streams.codes, streams.said]).toEqual([[], []]);
  });
});
