// One vocabulary for the forms of weights, in every command that takes them; the words of before stand for the same.
import { describe, expect, test } from "vitest";
import { deft } from "../../test/support/command.ts";
import { ConfigError } from "../errors.ts";
import { compressOptions } from "../jobs/index.ts";
import { resolveSettings } from "../settings/index.ts";
import { onnxPrecisions } from "./own-flags.ts";

const trained = (quantize: string) =>
  resolveSettings({ flags: { model: "m", task: "sst2", data: "d", quantize } }).quantize;
const compressed = (quantize: string) => compressOptions({ output: "o", count: 1, quantize }).quantization;
const written = (precision: string) => onnxPrecisions(precision).precisions;

describe("a form of weights", () => {
  test.each([
    ["nf4", "nf4"],
    ["int8", "int8"],
    ["int4", "int4"],
    ["q4", "int4"],
    ["q8", "int8"],
    ["none", null],
  ])("train --quantize %s", (word, format) => {
    expect(trained(word)).toBe(format);
  });

  test.each([
    ["none", "none"],
    ["int8", "int8"],
    ["int4", "q4"],
    ["q4", "q4"],
    ["qdq", "qdq"],
    ["fp32", "none"],
  ])("compress --quantize %s", (word, stored) => {
    expect(compressed(word)).toBe(stored);
  });

  test("export --precision", () => {
    expect(written("fp32, int8,int4,qdq")).toEqual(["fp32", "int8", "q4", "qdq"]);
    expect(written("none,q8,q4")).toEqual(["fp32", "int8", "q4"]);
  });

  test("is refused where a command does not take it, with those that it takes", async () => {
    expect(() => trained("qdq")).toThrow('--quantize: expected one of nf4, int8, int4, none, got "qdq"');
    expect(() => trained("int2")).toThrow("(did you mean int8?)");
    expect(() => compressed("nf4")).toThrow('--quantize: expected one of int8, int4, qdq, none, got "nf4"');
    expect(() => compressed("nf4")).toThrow(ConfigError);
    const refused = async (...argv: string[]) => (await deft("export", "runs/none", "--output", "o", ...argv)).err;
    expect(await refused("--format", "merged", "--quantize", "qdq")).toContain(
      '--quantize: expected one of nf4, int8, int4, none, got "qdq"',
    );
    expect(await refused("--format", "onnx", "--quantize", "nf4")).toContain(
      '--quantize: expected one of int8, int4, qdq, none, got "nf4"',
    );
    expect(await refused("--format", "onnx", "--quantize", "int8", "--precision", "fp32")).toContain(
      "--quantize: expected either --quantize or --precision, got both",
    );
    expect(await refused("--format", "onnx", "--precision", "fp32,int16")).toContain(
      "--precision: expected some of fp32, int8, int4, qdq, got int16",
    );
  });
});
