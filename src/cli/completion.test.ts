// Completion: commands, flags, values of every kind and files, as the shells' scripts ask for them.
import { describe, expect, test } from "vitest";
import { deft } from "../../test/support/command.ts";
import { METHODS, ROW_PRESETS, TASKS } from "../settings/index.ts";
import { COMMANDS } from "./commands.ts";
import { completions } from "./completion.ts";

const NAMES = COMMANDS.map(({ name }) => name);

/** The words that complete the last of a line, and whether the shell adds files. */
async function complete(line: string) {
  const { words, files } = await completions(COMMANDS, line.split(" "));
  return { words: words.map(({ word }) => word), files };
}

describe("completions", () => {
  test.each<[string, readonly string[]]>([
    ["", NAMES],
    ["pr", ["predict", "profile"]],
    ["help t", ["train"]],
    ["train --task s", ["sst2", "stsb", "squad", "seq2seq"]],
    ["train --task ", TASKS],
    ["train --task=st", ["stsb"]],
    ["train --method ", METHODS],
    ["train --padding ", ["longest", "max"]],
    ["train --density-weight ", ["auto"]],
    ["train --class-weights b", ["balanced"]],
    ["train --keep ", ["best", "last"]],
    ["train --task cola --metric ", ["matthews_correlation", "accuracy", "f1", "f1_macro"]],
    [
      "train --preset roberta-large/rte/lora-",
      ROW_PRESETS.map(({ name }) => name).filter((n) => n.startsWith("roberta-large/rte/lora-")),
    ],
    ["compare --methods lora,a", ["lora,adapter"]],
    ["compare --methods lora,lo", []],
    ["eval --split dev-", ["dev-matched", "dev-mismatched"]],
    ["export runs/a --format ", ["peft", "adapters", "merged", "onnx"]],
    ["bench runs/a --precision fp32,", ["fp32,int8", "fp32,int4", "fp32,qdq"]],
    ["compress --compensation ", ["refit", "mean"]],
    ["train --mask", ["--mask-safe"]],
    ["train --no-", ["--no-mask-safe"]],
    ["train --resume --rec", ["--recompute"]],
    ["train --resume --res", []],
    ["complete ", ["bash", "zsh", "fish", "powershell"]],
    ["doctor ", []],
    ["train --epochs ", []],
    ["train --resume=", []],
    ["trian ", []],
  ])("%j", async (line, expected) => {
    const { words, files } = await complete(line);
    expect([...words].sort()).toEqual([...expected].sort());
    expect(files).toBe("none");
  });

  test.each<[string, "path" | "folder"]>([
    ["train ", "path"],
    ["train --epochs 3 conf", "path"],
    ["train --data ", "path"],
    ["train --data=da", "path"],
    ["train --output ", "folder"],
    ["train --model ", "folder"],
    ["train --teacher runs/", "folder"],
    ["eval ", "folder"],
    ["eval --json ", "folder"],
    ["bench runs/a runs/", "folder"],
    ["report runs/a --output ", "path"],
    ["predict runs/a --input ", "path"],
    ["export runs/a --output ", "folder"],
    ["init ", "path"],
  ])("%j leaves files to the shell", async (line, expected) => {
    expect(await complete(line)).toEqual({ words: [], files: expected });
  });

  test("every flag whose value is a path or one of some words completes it", async () => {
    for (const { name, flags } of COMMANDS)
      for (const { name: flag, value = "", completes, choices } of flags) {
        const { words, files } = await complete(`${name} --${flag} `);
        if (/DIR|FILE|RUN/.test(value)) expect({ flag, files }).toEqual({ flag, files: completes });
        if (/^[a-z0-9_]+(\|[a-z0-9_]+)+$/.test(value)) expect(words).toEqual(value.split("|"));
        if (choices !== undefined) expect(words).toEqual(choices);
      }
  });
});

describe("deft complete", () => {
  test("answers a shell with a word and its meaning on each line, and a directive", async () => {
    expect(await deft("complete", "--", "train", "--padding", "")).toMatchObject({
      code: 0,
      out: "longest\t\nmax\t\n:4\n",
      err: "",
    });
    expect((await deft("complete", "--", "train", "--data", "")).out).toBe(":0\n");
    expect((await deft("complete", "--", "eval", "")).out).toBe(":16\n");
    expect((await deft("complete", "--", "tra")).out).toMatch(/^train\tfine-tune a model[^\n]*\n:4\n$/);
  });

  test("refuses a shell that it does not know", async () => {
    const { code, err } = await deft("complete", "bsh");
    expect(code).toBe(2);
    expect(err).toContain('SHELL: expected one of bash, zsh, fish, powershell, got "bsh" (did you mean bash?)');
  });
});
