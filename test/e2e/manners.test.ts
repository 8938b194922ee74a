// The command among other commands: closed and full streams, a closed terminal, and what it writes for others to open.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deft, outcomeOf, startScript } from "../support/command.ts";
import { tinyExamples, writeFiles, writeTinyModel } from "../support/tiny-model.ts";
import { jsonLines } from "../support/tiny-words.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const LABELS = ["<script>alert(1)</script>", "bad\u001b]0;owned\u0007"];
const STEPS = ["--max-steps", "4", "--batch-size", "8", "--threads", "1"];
const flags = (output: string, ...rest: readonly string[]) => {
  const data = ["--task", "text-classification", "--data", at("data.jsonl")];
  return ["train", "--model", at("model"), ...data, "--output", at(output), ...STEPS, ...rest];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-manners-"));
  await writeTinyModel(at("model"), { numLayers: 1 });
  await writeFiles(folder, {
    "data.jsonl": jsonLines(tinyExamples(60, 1).map(({ text, label }) => ({ text, label: LABELS[label as number] }))),
    "ask.csv": 'id,text\n1,"=HYPERLINK(""http://example.org"")"\n2,@SUM(A1)\n3,-1.5\n4,+49 30\n5,a film\n',
  });
  expect((await deft(...flags("run"), "-q")).code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A shell line with `deft` for the command; `pipefail` gives its code through pipes. */
function shell(line: string): Promise<{ code: number; out: string; err: string }> {
  const command = `"${process.execPath}" --import tsx src/cli/main.ts`;
  return new Promise((resolve) => {
    execFile("bash", ["-o", "pipefail", "-c", line.replaceAll("deft ", `${command} `)], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}

describe("streams", () => {
  const predict = () => `deft predict ${at("run")} --input ${at("ask.csv")} --text-column text --threads 1`;

  test("a reader that has gone ends it quietly", async () => {
    const { code, out, err } = await shell(`deft train --help 2>&1 | head -1; exit \${PIPESTATUS[0]}`);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe("Usage: deft train [options] [config]\n");
  });

  test("standard error whose reader has gone, and one that is closed: the work is done", async () => {
    const words = flags("quiet")
      .map((word) => `'${word}'`)
      .join(" ");
    const { code } = await shell(`{ deft ${words} 2>&1 1>&3 | head -1 >&2; } 3>/dev/null`);
    expect(code).toBe(0);
    expect(JSON.parse(await readFile(at("quiet", "run.json"), "utf8"))).toMatchObject({ result: { split: "dev" } });
    const closed = await shell(`${predict()} 2>&-`);
    expect(closed.code).toBe(0);
    expect(closed.out.trim().split("\n")).toHaveLength(5);
  });

  test.skipIf(!existsSync("/dev/full"))("a full disk behind standard output is told, once", async () => {
    const { code, err } = await shell(`${predict()} -q >/dev/full`);
    expect(code).toBe(1);
    expect(err).toBe("standard output: cannot write: expected a place to write, got a full disk\n");
  });

  test("a closed standard input is an empty one", async () => {
    const { code, err } = await shell(`deft predict ${at("run")} --input - --threads 1 -q <&-`);
    expect(code, err).toBeLessThanOrEqual(2);
    expect(err).not.toMatch(/ at .*\.ts:\d+/);
  });

  test("a terminal that is closed ends a run with its checkpoint", { timeout: 120_000 }, async () => {
    const child = startScript("src/cli/main.ts", flags("hung-up", "--max-steps", "4000", "--save-steps", "1000"));
    let sent = false;
    const { code, err } = await outcomeOf(child, (text) => {
      if (!sent && text.err.includes("training ")) sent = child.kill("SIGHUP");
    });
    expect(code, err).toBe(130);
    expect(err).toContain("Saved. To go on:");
  });
});

describe("what others open", () => {
  test("a model card names no folder of this machine, and no class is HTML or obeyed", async () => {
    const card = await readFile(at("run", "README.md"), "utf8");
    expect(card).not.toContain(folder);
    expect(card).toContain("`./model` fine-tuned");
    const outside = card.replaceAll(/```[\s\S]*?```/g, "").replaceAll(/`[^`]*`/g, "");
    expect(outside).not.toMatch(/<script/);
    expect(card).not.toContain("\u001b");
  });

  test("a table with answers begins no cell as a formula; numbers stay", async () => {
    const args = [
      "predict",
      at("run"),
      "--input",
      at("ask.csv"),
      "--text-column",
      "text",
      "--output",
      at("answers.csv"),
    ];
    expect((await deft(...args, "--threads", "1", "-q")).code).toBe(0);
    const lines = (await readFile(at("answers.csv"), "utf8")).trim().split("\n").slice(1);
    const cells = lines.map((line) => line.split(",")[1]!);
    expect(cells.map((cell) => cell.replace(/^"/, "").slice(0, 2))).toEqual(["'=", "'@", "-1", "'+", "a "]);
  });
});
