// What the interchange tests share: a tiny base, texts as ids for Python, and logits of both sides.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { deft } from "../support/command.ts";
import { runPython } from "../support/python.ts";
import { tinyExamples, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

/** The largest difference of a logit between two frameworks. */
const TOLERANCE = 1e-4;

const TEXTS = tinyExamples(6, 5).map(({ text }) => text);

/** Logits of all texts, flat, by name. */
export type Logits = Readonly<Record<string, readonly number[]>>;

/** A temporary folder with a base of 16 hidden units and two layers, and data to train on. */
export class Bench {
  readonly folder: string;

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `deft-interchange-${name}-`));
    afterAll(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  at(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** Writes `base`, `sst2` and `ids.json`. */
  async prepare(modelType: string): Promise<void> {
    await writeTinyModel(this.at("base"), { modelType, headLabels: 2 });
    await writeTinySst2(this.at("sst2"), { train: 48, dev: 8 });
    const tokenizer = await loadTokenizer(nodeFiles(), this.at("base"));
    const rows = TEXTS.map((text) => tokenizer.encode(text, null, { maxLength: 64 }).ids);
    const length = Math.max(...rows.map((ids) => ids.length));
    const padded = (ids: readonly number[], id: number) => [...ids, ...Array(length - ids.length).fill(id)];
    const batch = {
      ids: rows.map((ids) => padded(ids, tokenizer.padId)),
      mask: rows.map((ids) => padded(Array(ids.length).fill(1), 0)),
    };
    await writeFile(this.at("ids.json"), JSON.stringify(batch));
    const lines = TEXTS.map((text) => `${JSON.stringify({ text })}\n`);
    await writeFile(this.at("texts.jsonl"), lines.join(""));
  }

  /** Trains a run that is far from its start. */
  async train(run: string, ...more: readonly string[]): Promise<void> {
    const all = ["--model", this.at("base"), "--task", "sst2", "--data", this.at("sst2"), "--output", this.at(run)];
    const short = ["--max-steps", "6", "--batch-size", "8", "--learning-rate", "0.05", "--threads", "1", "-q"];
    await succeed("train", ...all, ...short, ...more);
  }

  /** Logits as `deft predict` gives them for a run, or for `--model …`. */
  async ours(...target: readonly string[]): Promise<readonly number[]> {
    const out = await succeed("predict", ...target, "--input", this.at("texts.jsonl"), "--threads", "1");
    const lines = out.trim().split("\n");
    expect(lines).toHaveLength(TEXTS.length);
    return lines.flatMap((line) => (JSON.parse(line) as { logits: number[] }).logits);
  }

  /** The last line of a script's output. */
  async theirs(script: string, args: readonly string[], interpreter: string): Promise<unknown> {
    const [job = "", ...rest] = args;
    const all = [job, ...rest, "--ids", this.at("ids.json")];
    const printed = await runPython(`scripts/golden/${script}`, all, { interpreter });
    return JSON.parse(printed.trim().split("\n").at(-1)!);
  }

  json(...parts: readonly string[]): Promise<Record<string, unknown>> {
    return readFile(this.at(...parts), "utf8").then((text) => JSON.parse(text) as Record<string, unknown>);
  }
}

/** Runs a command that must end well; gives its output. */
export async function succeed(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft(...argv);
  expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
  return out;
}

/** Runs a command that must refuse its input; gives the message. */
export async function refused(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft(...argv);
  expect({ code, out }, err).toEqual({ code: 2, out: "" });
  expect(err.trimEnd().split("\n").length).toBeLessThanOrEqual(24);
  expect(err).not.toMatch(/^\s+at .*[:)]/m);
  return err;
}

/** Expects both sides to give the same logits, and logits that are no constant. */
export function expectSame(ours: readonly number[], theirs: readonly number[], name: string): void {
  expect(ours).toHaveLength(theirs.length);
  const worst = Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!)));
  expect(worst, name).toBeLessThan(TOLERANCE);
  expect(new Set(ours.map((value) => value.toFixed(3))).size, name).toBeGreaterThan(3);
}
