import { expect, test } from "vitest";
import { sampleRecord } from "../../test/support/records.ts";
import { memoryFiles } from "../hub/index.ts";
import { openSettings } from "./output.ts";
import { readRun } from "./run-folder.ts";

const record = sampleRecord({ output: "runs/a", epochs: 2, "batch-size": 16 });

async function filesWithRun() {
  const files = memoryFiles();
  await files.write("runs/a/run.json", JSON.stringify(record));
  await files.write("runs/a/events.jsonl", '{"type":"warning","time":0,"step":1,"code":"x","message":"m"}\n{"ty');
  return files;
}

test("a new run wants a folder without one", async () => {
  const files = await filesWithRun();
  const flags = { model: "m", task: "sst2", data: "d" };
  await expect(openSettings(files, { flags: { ...flags, output: "runs/a" } })).rejects.toThrow("--resume to go on");
  await expect(openSettings(files, { flags: { ...flags, output: "runs/a/run.json" } })).rejects.toThrow(
    "expected a folder",
  );
  expect((await openSettings(files, { flags: { ...flags, output: "runs/b" } })).output).toBe("runs/b");
});

test("a resumed run has the settings it was started with, and no others", async () => {
  const files = await filesWithRun();
  const resume = { output: "runs/a", resume: true };
  expect(await openSettings(files, { flags: { ...resume, threads: 3 } })).toEqual({
    ...record.settings,
    resume: true,
    threads: 3,
  });
  expect(await openSettings(files, { flags: { ...resume, epochs: 2 } })).toMatchObject({
    optim: record.settings.optim,
  });
  await expect(openSettings(files, { flags: { ...resume, epochs: 5, seed: 9 } })).rejects.toThrow(
    /--epochs: expected 2, as the run was started, got 5\n--seed/,
  );
  const file = { name: "c.yaml", text: "batch-size: 8\n" };
  await expect(openSettings(files, { flags: resume, file })).rejects.toThrow("--batch-size: expected 16");
  await expect(openSettings(files, { flags: { ...resume, output: "runs/none" } })).rejects.toThrow(
    "--resume: expected --output to hold a run",
  );
});

test("readRun says what is missing", async () => {
  const files = await filesWithRun();
  expect((await readRun(files, "runs/a")).events).toHaveLength(1);
  await files.write("bad/run.json", '{"schema": 9, "settings": {}}');
  await files.write("torn/run.json", "{");
  await expect(readRun(files, "runs/none")).rejects.toThrow("runs/none: expected a run's folder, got nothing there");
  await expect(readRun(files, "runs")).rejects.toThrow("got one without run.json");
  await expect(readRun(files, "bad")).rejects.toThrow("expected schema 1, got 9");
  await expect(readRun(files, "torn")).rejects.toThrow("expected JSON");
});
