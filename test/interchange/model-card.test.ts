// The examples of model cards, run as they stand: Python says what deft predict says.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { deft } from "../support/command.ts";
import { describeWithAdapters, describeWithPython } from "../support/python.ts";
import { tinySeq2seq, tinySquad, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2, writeTinyStsb } from "../support/tiny-model.ts";

// torch alone takes seconds to import on a busy machine
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const SHORT = "--max-steps 12 --batch-size 8 --learning-rate 2e-2 --threads 1 -q";
const SST2 = "--model model --task sst2 --data sst2";
// `--n-best 60`: every start and end is looked at, as the example does
const PEFT_RUNS: Readonly<Record<string, string>> = {
  classes: `${SST2} --method lora`,
  gates: `${SST2} --method lora --ada --gates sigmoid`,
  removed: `${SST2} --method lora --keep-neurons 0.5`,
  prompt: `${SST2} --method prompt --virtual-tokens 4 --max-length 40`,
  prefix: `${SST2} --method prefix --virtual-tokens 4 --max-length 40`,
  head: `${SST2} --method head`,
  number: "--model model --task stsb --data stsb --method full",
  span: "--model model --task squad --data squad --method lora --max-length 48 --doc-stride 8 --n-best 60",
  written: "--model t5 --task squad --data squad --method full --max-length 48 --doc-stride 8 --max-target-length 6",
  text: "--model t5 --task seq2seq --data seq2seq --method lora --max-target-length 6",
};
const ADAPTER_RUNS: Readonly<Record<string, string>> = { adapter: `${SST2} --method adapter` };

/** Runs each file in its own names; a line of nothing but ✂ stands between their outputs. */
const DRIVER = `
import sys
for path in sys.argv[1:]:
    exec(compile(open(path).read(), path, "exec"), {})
    print("\\u2702")
`;

function cards(runs: Readonly<Record<string, string>>, interpreter: string): void {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "deft-card-"));
  const printed = new Map<string, string>();

  beforeAll(async () => {
    // cards name model and run by the paths that the run was given
    process.chdir(folder);
    await writeTinyModel("model");
    await writeTinyT5("t5");
    await writeTinySst2("sst2");
    await writeTinyStsb("stsb");
    await writeFiles("squad", { "train.json": tinySquad(48, 1), "dev.json": tinySquad(8, 2) });
    await writeFiles("seq2seq", { "train.jsonl": tinySeq2seq(48, 1), "dev.jsonl": tinySeq2seq(8, 2) });
    const files: string[] = [];
    for (const [name, flags] of Object.entries(runs)) {
      await succeed(`train ${flags} ${SHORT} --output runs/${name}`);
      const { python, commands } = blocksOf(await readFile(`runs/${name}/README.md`, "utf8"));
      for (const command of commands) await succeed(command);
      await writeFile(`${name}.py`, python);
      files.push(`${name}.py`);
    }
    const env = { ...process.env, PYTHONWARNINGS: "ignore", HF_HUB_OFFLINE: "1", TRANSFORMERS_VERBOSITY: "error" };
    const { stdout } = await promisify(execFile)(interpreter, ["-c", DRIVER, ...files], { cwd: folder, env });
    stdout.split("✂\n").forEach((text, i) => {
      const name = Object.keys(runs)[i];
      if (name !== undefined) printed.set(name, text.trim().split("\n").at(-1) ?? "");
    });
  });
  afterAll(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(Object.keys(runs))("%s", async (name) => {
    const { predict } = blocksOf(await readFile(`runs/${name}/README.md`, "utf8"));
    const [line = ""] = (await succeed(predict)).trim().split("\n");
    const ours = JSON.parse(line) as { label?: string; score?: number; value?: number; text?: string };
    const theirs = printed.get(name)!;
    if (ours.label !== undefined) {
      const [, label, score] = /^(.*) (\S+)$/.exec(theirs)!;
      expect(label).toBe(ours.label);
      expect(Number(score)).toBeCloseTo(ours.score!, 4);
    } else if (ours.value !== undefined) expect(Number(theirs)).toBeCloseTo(ours.value, 3);
    else expect(theirs).toBe(ours.text);
  });
}

/** The parts of a card's section on use: commands to be run before, the prediction, the example in Python. */
function blocksOf(card: string): { readonly python: string; readonly predict: string; readonly commands: string[] } {
  const use = card.slice(card.indexOf("## Use"), card.indexOf("## Environment"));
  const block = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(use)?.[1] ?? "";
  const commands = [...use.matchAll(/`(deft export [^`]+)`/g)].map(([, command]) => command!);
  return { python: block("python"), predict: block("sh").trim(), commands };
}

/** Runs a command line of a card; its quotes are the shell's. */
async function succeed(line: string): Promise<string> {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  const { code, out, err } = await deft(...words.filter((word) => word !== "deft"));
  expect(code, err).toBe(0);
  return out;
}

describeWithPython("examples for transformers and peft", (interpreter) => cards(PEFT_RUNS, interpreter));
describeWithAdapters("the example for AdapterHub", (interpreter) => cards(ADAPTER_RUNS, interpreter));
