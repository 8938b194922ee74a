// A run that is killed, interrupted or out of disk goes on, and ends as if nothing had happened: the same bytes.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileError } from "../../src/errors.ts";
import { workflow } from "../../src/library/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { openSettings, parseEvents } from "../../src/runs/index.ts";
import { type Files, randomStream } from "../../src/tensor/index.ts";
import type { TrainEvent } from "../../src/train/index.ts";
import { deft, filesBelow, outcomeOf, startScript } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-resume-"));
  await writeTinyModel(at("model"), { numLayers: 1 });
  await writeTinySst2(at("data"), { train: 90, dev: 20 });
  await writeTinyT5(at("t5"));
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(90, 1), "dev.jsonl": tinySeq2seq(12, 2) });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Dropout, a density loss and LoRA are on by default: all of it must come back. */
const flagsOf = (output: string, rest: Readonly<Record<string, unknown>> = {}) => ({
  model: at("model"),
  task: "sst2",
  data: at("data"),
  "batch-size": 8,
  "learning-rate": 5e-3,
  output,
  ...rest,
});
const argvOf = (flags: Readonly<Record<string, unknown>>) =>
  Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)]);

async function trained(
  flags: Readonly<Record<string, unknown>>,
  { files, signal }: { files?: Files; signal?: AbortSignal } = {},
): Promise<TrainEvent[]> {
  const environment = nodeEnvironment();
  const settings = await openSettings(environment.files, { flags });
  const events: TrainEvent[] = [];
  const run = workflow(files ? { ...environment, files } : environment).train(settings, signal ? { signal } : {});
  for await (const event of run) events.push(event);
  return events;
}
const resumed = (output: string, rest = {}) => trained({ output, resume: true }, rest);

/** What of a run's folder must not depend on how often it was interrupted. */
async function essence(output: string) {
  const files = await filesBelow(output);
  const bytes = Object.entries(files).filter(([path]) => /^(adapter|checkpoints)\//.test(path));
  const text = await readFile(join(output, "events.jsonl"), "utf8");
  const events = parseEvents("events.jsonl", text)
    .filter((event) => event.type !== "start")
    .map((event) =>
      Object.fromEntries(
        Object.entries(event)
          .filter(([key]) => !/^(time|stepMs|durationMs|rssBytes|tokensPerSecond)$/.test(key))
          .map(([key, value]) => [key, key === "folder" ? String(value).replace(output, "") : value]),
      ),
    );
  const { result } = JSON.parse(await readFile(join(output, "run.json"), "utf8"));
  const passing = Object.keys(files).filter((path) => /(^|\/)\./.test(path) || path.endsWith(".tmp"));
  return { bytes: Object.fromEntries(bytes), events, metrics: result?.metrics, density: result?.density, passing };
}

/** A process that begins the run or goes on with it; killed `delayMs` after its line `line`, unless it is done before. */
async function goOn(flags: Readonly<Record<string, unknown>>, kill: { line: number; delayMs: number } | null) {
  const child = startScript("test/e2e/train-run.ts", [JSON.stringify(flags)]);
  let isKilled = false;
  const { signal, err, out } = await outcomeOf(child, (text) => {
    if (kill === null || isKilled || text.out.split("\n").length <= kill.line + 1) return;
    isKilled = true;
    setTimeout(() => child.kill("SIGKILL"), kill.delayMs);
  });
  const isDone = out.endsWith("done\n");
  if (signal !== "SIGKILL" || isDone) expect({ err, isDone }).toEqual({ err: "", isDone: true });
  return { isDone, last: out.trim().split("\n").at(-1) };
}

describe("kill -9", () => {
  const flags = () => flagsOf("", { "max-steps": 40, "eval-steps": 5, "save-steps": 3, threads: 2 });

  test("at 20 random moments: every run goes on and ends with the uninterrupted run's bytes", {
    timeout: 900_000,
  }, async () => {
    const wholeRun = await trained({ ...flags(), output: at("whole") });
    const whole = await essence(at("whole"));
    expect(whole.events.filter(({ type }) => type === "step").map(({ step }) => step)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    const random = randomStream(20, "moments");
    const moments: string[] = [];
    for (let chain = 0; moments.length < 20; chain++) {
      const output = at(`killed-${chain}`);
      // up to four deaths a run: at start-up, then among the events, a little later than one of them is seen
      for (let death = 0, isDone = false; !isDone; death++) {
        const isLast = death >= 4 || moments.length >= 20;
        const line = death === 0 && chain % 2 === 0 ? 0 : 1 + random.integer(Math.ceil(wholeRun.length / 3));
        const delayMs = random.integer(line === 0 ? 400 : 12);
        const { last, ...outcome } = await goOn({ ...flags(), output }, isLast ? null : { line, delayMs });
        isDone = outcome.isDone;
        if (!isDone) moments.push(`run ${chain}: ${last}`);
      }
      expect(await essence(output), moments.join("\n")).toEqual(whole);
    }
    expect(moments).toHaveLength(20);
  });

  const T5 = () => ({ model: at("t5"), task: "seq2seq", data: at("texts"), "max-target-length": 4, targets: "q,v,wo" });
  test.each([
    ["LoRA on a T5 that writes", T5],
    ["a prompt", () => ({ method: "prompt", "virtual-tokens": 3, "max-length": 32 })],
    [
      "gates, and neurons that go",
      () => ({ ada: true, gates: "sigmoid", "keep-neurons": 0.5, "density-loss": "neurons" }),
    ],
  ])("twice, with %s", { timeout: 300_000 }, async (name, own) => {
    const flags = { ...flagsOf("", own()), "max-steps": 14, "eval-steps": 7, "save-steps": 3, threads: 1 };
    const wholeRun = await trained({ ...flags, output: at(`${name} whole`) });
    expect(wholeRun.filter(({ type }) => type === "step")).toHaveLength(14);
    const output = at(`${name} killed`);
    // lines: opened, start, then the events
    for (const line of [7, 5]) expect((await goOn({ ...flags, output }, { line, delayMs: 3 })).isDone).toBe(false);
    expect((await goOn({ ...flags, output }, null)).isDone).toBe(true);
    expect(await essence(output)).toEqual(await essence(at(`${name} whole`)));
  });
});

/** Files that stop working at the n-th change, which they do by half: what a dead process or a full disk leaves. */
function failingFiles(failAt: number, failure: (path: string) => Error): Files & { changes: number } {
  const { files } = nodeEnvironment();
  const broken = { ...files, changes: 0 };
  let isDead = false;
  const before = (path: string) => {
    isDead ||= ++broken.changes >= failAt;
    if (isDead) throw failure(path);
  };
  for (const name of ["write", "makeFolder", "remove"] as const) {
    broken[name] = async (path: string, ...rest: never[]) => {
      before(path);
      return (files[name] as (path: string, ...rest: never[]) => Promise<void>)(path, ...rest);
    };
  }
  broken.rename = async (from, to) => {
    before(to);
    return files.rename(from, to);
  };
  broken.append = async (path, content) => {
    const isFirst = !isDead;
    try {
      before(path);
    } catch (error) {
      if (isFirst) await files.append(path, content.slice(0, Math.floor(content.length / 2)));
      throw error;
    }
    return files.append(path, content);
  };
  return broken;
}

test("death at any change of the disk: the run goes on with the same bytes", { timeout: 900_000 }, async () => {
  const flags = flagsOf("", { "max-steps": 6, "eval-steps": 3, "save-steps": 2, threads: 1 });
  const counting = failingFiles(Number.POSITIVE_INFINITY, () => new Error("never"));
  await trained({ ...flags, output: at("undisturbed") }, { files: counting });
  const whole = await essence(at("undisturbed"));
  expect(counting.changes).toBeGreaterThan(30);
  // every second: a checkpoint is an odd number of changes, so that two in a row are met at each of their places
  for (let change = 1; change <= counting.changes; change += 2) {
    const output = at(`dead-${change}`);
    const files = failingFiles(change, () => new Error("killed"));
    await expect(trained({ ...flags, output }, { files }), `change ${change}`).rejects.toThrow("killed");
    const isThere = (await nodeEnvironment().files.stat(join(output, "run.json"))) !== null;
    await (isThere ? resumed(output) : trained({ ...flags, output }));
    expect(await essence(output), `killed at change ${change}`).toEqual(whole);
  }
});

describe("a full disk", () => {
  const flags = () => flagsOf("", { "max-steps": 24, "eval-steps": 6, threads: 1 });

  test("stops with a message, leaves nothing torn, and the run goes on once there is room", async () => {
    await trained({ ...flags(), output: at("roomy") });
    for (const change of [9, 14, 19]) {
      const output = at(`full-${change}`);
      const full = (path: string) => new FileError(path, "cannot write: expected a file one may use, got a full disk");
      await expect(trained({ ...flags(), output }, { files: failingFiles(change, full) })).rejects.toThrow("full disk");
      await resumed(output);
      expect(await essence(output)).toEqual(await essence(at("roomy")));
    }
  });

  test("a real one, 160 KB", async (context) => {
    const disk = at("disk");
    await mkdir(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=160k", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      context.skip("a small file system can be mounted by root only");
    }
    try {
      const output = join(disk, "run");
      const { code, err } = await deft("train", ...argvOf({ ...flags(), output, method: "full" }), "-q");
      expect(code).toBe(2);
      expect(err).toMatch(/got a full disk\nFree some space/);
      expect(err).toContain(`deft train --output ${output} --resume`);
      expect(Object.keys(await filesBelow(output)).filter((path) => /(^|\/)\./.test(path))).toEqual([]);
      execFileSync("mount", ["-o", "remount,size=4m", disk]);
      expect(await deft("train", "--output", output, "--resume", "-q")).toMatchObject({ code: 0, err: "" });
      await trained({ ...flags(), output: at("roomy-full"), method: "full" });
      expect((await essence(output)).bytes).toEqual((await essence(at("roomy-full"))).bytes);
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});

describe("Ctrl-C", () => {
  test("once: the step is finished and saved, and the printed command goes on", async () => {
    const flags = flagsOf("", { "max-steps": 300, "eval-steps": 20, threads: 1 });
    const output = at("interrupted");
    const child = startScript("src/cli/main.ts", ["train", ...argvOf({ ...flags, output })]);
    const { code, err } = await outcomeOf(child, (text) => {
      if (text.err.includes("eval at step 20 ") && !child.killed) child.kill("SIGINT");
    });
    expect(code, err).toBe(130);
    const command = /Saved\. To go on:\n {2}deft (.*)\n/.exec(err)?.[1];
    expect(command).toBe(`train --output ${output} --resume`);
    expect(await deft(...command!.split(" "), "-q")).toMatchObject({ code: 0, err: "" });
    await trained({ ...flags, output: at("uninterrupted") });
    const [one, other] = [await essence(output), await essence(at("uninterrupted"))];
    expect(one.bytes).toEqual(other.bytes);
    const kept = (events: typeof one.events) => events.filter(({ type }) => type === "step" || type === "eval");
    expect(kept(one.events)).toEqual(kept(other.events));
  });

  test("where an evaluation is due: it is caught up with", async () => {
    const flags = flagsOf("", { "max-steps": 12, "eval-steps": 4, threads: 1 });
    const output = at("owing");
    const environment = nodeEnvironment();
    const stop = new AbortController();
    const settings = await openSettings(environment.files, { flags: { ...flags, output } });
    for await (const event of workflow(environment).train(settings, { signal: stop.signal }))
      if (event.type === "step" && event.step === 8) stop.abort();
    const text = await readFile(join(output, "events.jsonl"), "utf8");
    expect(text).toMatch(/"type":"end".*"reason":"interrupted"/);
    expect(text).not.toMatch(/"type":"eval".*"step":8/);
    await resumed(output);
    await trained({ ...flags, output: at("owing-nothing") });
    const [one, other] = [await essence(output), await essence(at("owing-nothing"))];
    expect(one.bytes).toEqual(other.bytes);
    expect(one.events.filter(({ type }) => type === "eval")).toEqual(
      other.events.filter(({ type }) => type === "eval"),
    );
  });

  test("twice: it stops at once, inside the step", async () => {
    await writeTinySst2(at("long"), { train: 6400, dev: 20 });
    const flags = flagsOf(at("stopped"), { data: at("long"), accumulate: 200, epochs: 50, threads: 1 });
    const child = startScript("src/cli/main.ts", ["train", ...argvOf({ ...flags, "batch-size": 32 })]);
    let sent = 0;
    const { code, signal, err } = await outcomeOf(child, (text) => {
      const wanted = text.err.includes("Stopping after this step") ? 2 : text.err.includes("training ") ? 1 : 0;
      for (; sent < wanted; sent++) child.kill("SIGINT");
    });
    // by the signal itself, which a shell reports as 130
    expect([code, signal], err).toEqual([-1, "SIGINT"]);
    expect(err).not.toContain("Saved");
  });
});

describe("--resume is refused", () => {
  beforeAll(() => trained({ ...flagsOf(at("finished")), "max-steps": 4, threads: 1 }));

  test.each([
    [
      ["--learning-rate", "0.1", "--rank", "4"],
      ["--learning-rate: expected 0.005", "--rank: expected 8"],
    ],
    [["--epochs", "9"], ["--epochs: expected 3, as the run was started, got 9"]],
  ])("under other settings: %j", async (argv, messages) => {
    const before = await filesBelow(at("finished"));
    const { code, err } = await deft("train", "--output", at("finished"), "--resume", ...argv);
    expect(code).toBe(2);
    for (const message of messages) expect(err).toContain(message);
    expect(err).toContain("Leave these out, or start a new run.");
    expect(await filesBelow(at("finished"))).toEqual(before);
  });

  test("when the data or the model were changed since", async () => {
    await writeTinySst2(at("moving"), { train: 40, dev: 20 });
    await writeTinyModel(at("moving-model"));
    const flags = flagsOf(at("moved"), { data: at("moving"), model: at("moving-model"), "max-steps": 4, threads: 1 });
    await trained(flags);
    const before = await filesBelow(at("moved"));
    await writeTinySst2(at("moving"), { train: 42, dev: 20 });
    await writeTinyModel(at("moving-model"), { seed: 2 });
    const { code, err } = await deft("train", "--output", at("moved"), "--resume", "-q");
    expect(code).toBe(2);
    expect(err).toMatch(/^--model .*: expected the content the run was started with \([\w:]+…\), got [\w:]+…$/m);
    expect(err).toMatch(/^--data .*: expected the content/m);
    expect(await filesBelow(at("moved"))).toEqual(before);
  });

  test("when its newest checkpoint is damaged: says which, and goes on from the one before", async () => {
    const output = at("damaged");
    const flags = { ...flagsOf(output), "max-steps": 8, "eval-steps": 4, threads: 1 };
    await trained(flags);
    const whole = await essence(output);
    const newest = join(output, "checkpoints/step-8");
    await writeFile(join(newest, "trainable.safetensors"), "cut short");
    const { code, err } = await deft("train", "--output", output, "--resume", "-q");
    expect(code).toBe(2);
    expect(err).toContain(`${newest}: expected a whole checkpoint, got a damaged one`);
    expect(err).toContain("Remove this folder to go on from the checkpoint before it");
    await rm(newest, { recursive: true });
    await resumed(output);
    expect(await essence(output)).toEqual(whole);
  });
});
