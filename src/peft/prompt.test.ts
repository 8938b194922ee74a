import { describe, expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { Scope } from "../nn/index.ts";
import { prompt } from "./prompt.ts";

describe("prompt", () => {
  const starts = (options: Parameters<typeof prompt>[0], ids?: readonly number[]) => {
    const graph = new Graph();
    const root = Scope.root(graph);
    const ints = (name: string) => graph.input(name, "int64", ["B", "S"]);
    const given = prompt(options, ids).hooks.inputs!(root.child("bert.embeddings"), {
      words: graph.input("words", "float32", ["B", "S", 6]),
      table: "words.weight",
      attentionMask: ints("mask"),
      typeIds: ints("types"),
      positionOffset: 0,
      numVirtualTokens: 0,
    });
    return { given, spec: root.parameters[0]! };
  };

  test("makes words, mask and segments P longer", () => {
    const { given, spec } = starts({ virtualTokens: 5 });
    expect(given.words.shape).toEqual(["B", "S+5", 6]);
    expect(given.attentionMask.shape).toEqual(["B", "S+5"]);
    expect(given.typeIds!.shape).toEqual(["B", "S+5"]);
    expect(given).toMatchObject({ numVirtualTokens: 5, positionOffset: 0 });
    expect(spec).toEqual({
      name: "prompt_embeddings",
      shape: [5, 6],
      trainable: true,
      part: null,
      init: { kind: "normal", std: 1 },
    });
  });

  test.each([
    [2, [4, 7]],
    [5, [4, 7, 8, 4, 7]],
  ])("begins as the words of a text, cut or repeated to %i", (virtualTokens, ids) => {
    const { spec } = starts({ virtualTokens, init: "text", initText: "a b c" }, [4, 7, 8]);
    expect(spec.init).toEqual({ kind: "rows", table: "words.weight", ids });
  });

  test.each([
    [{ virtualTokens: -1 }, "virtualTokens: expected a whole number ≥ 1, got -1"],
    [{ init: "text" as const }, "initText: expected the text that the prompt begins as"],
    [{ initText: "a" }, 'initText: expected init: "text"'],
  ])("refuses %j", (options, message) => {
    expect(() => prompt(options)).toThrow(message);
  });
});
