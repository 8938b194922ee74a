// Jobs that travel as JSON do what the same command does, and only on the content that they were made for.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Job, jobOf, nodeEnvironment, readJob, workflow } from "../../src/node.ts";
import { readRun } from "../../src/runs/index.ts";
import { type TinyRun, tinyRun } from "../compress/support.ts";
import { filesBelow } from "../support/command.ts";
import { writeTinySst2 } from "../support/tiny-model.ts";

let tiny: TinyRun;
const environment = nodeEnvironment();
const { start, evaluate } = workflow(environment);
const at = (name: string) => join(tiny.root, name);
/** As another machine gets it. */
const sent = <J extends Job>(job: J) => readJob(JSON.stringify(job)) as J;

beforeAll(async () => {
  tiny = await tinyRun({ numLayers: 1 });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

async function adapterOf(run: string) {
  return (await filesBelow(join(run, "adapter")))["adapter_model.safetensors"];
}

describe("train", () => {
  test("the job of a finished run gives its bytes again, with the data at another place", async () => {
    const { record } = await readRun(environment.files, tiny.run);
    const { settings, fingerprints } = jobOf(record);
    const data = mkdtempSync(join(tmpdir(), "deft-job-data-"));
    cpSync(tiny.data, data, { recursive: true });
    const job = sent({ job: "train", settings: { ...settings, data, output: at("again") }, fingerprints });
    const running = start(job);
    const kinds = new Set<string>();
    for await (const { job: kind, time } of running) {
      kinds.add(kind);
      expect(time).toBeGreaterThan(1.7e12);
    }
    await running.result;
    rmSync(data, { recursive: true });
    expect([...kinds]).toEqual(["train"]);
    expect(await adapterOf(at("again"))).toBe(await adapterOf(tiny.run));
  });

  test("other content is refused before anything is written, and every part is named", async () => {
    const { record } = await readRun(environment.files, tiny.run);
    const { settings, fingerprints } = jobOf(record);
    await writeTinySst2(at("other-data"), { train: 97, dev: 64 });
    const job = sent({
      job: "train",
      settings: { ...settings, data: at("other-data"), output: at("refused") },
      fingerprints: { ...fingerprints, base: "f".repeat(64), teacher: "e".repeat(64) },
    });
    const error = await start(job).result.catch((cause: unknown) => cause);
    expect(String(error)).toMatch(/--model .*: expected the content the job was made for \(f+…\), got \w+…/);
    expect(String(error)).toMatch(/--data .*other-data: expected the content the job was made for/);
    expect(String(error)).toMatch(/--teacher .*, got nothing/);
    expect(String(error)).toContain("Bring these files to this machine as they were");
    expect(existsSync(at("refused"))).toBe(false);
  });
});

test("evaluate gives what the same call gives, and tells other data", async () => {
  const target = { kind: "run", folder: tiny.run } as const;
  const { record } = await readRun(environment.files, tiny.run);
  const { base, data } = record.fingerprints;
  const ours = await start(
    sent({ job: "evaluate", target, settings: { threads: 1 }, fingerprints: { base: base!, data: data! } }),
  ).result;
  const { timing: _, ...theirs } = await evaluate(target, { threads: 1 });
  expect(ours).toMatchObject(theirs);
  const refused = start(sent({ job: "evaluate", target, settings: {}, fingerprints: { data: "0" } })).result;
  await expect(refused).rejects.toThrow(/--data .*: expected the content the job was made for \(0…\)/);
});

test("compress gives the model that the command gives, and tells another base", async () => {
  const job = (output: string, fingerprints = {}) =>
    sent({
      job: "compress",
      target: { kind: "run", folder: tiny.run },
      options: { output: at(output), "keep-neurons": 0.5 },
      settings: { threads: 1 },
      fingerprints,
    });
  const running = start(job("by-job"));
  const stages: unknown[] = [];
  for await (const event of running) {
    expect(event.job).toBe("compress");
    if (event.type === "stage") stages.push(event.stage);
  }
  expect(stages).toContain("measure");
  expect((await running.result).folder).toBe(at("by-job"));
  const { compress } = workflow(environment);
  const { compressOptions } = await import("../../src/jobs/index.ts");
  const options = compressOptions({ output: at("by-call"), "keep-neurons": 0.5 });
  await compress({ kind: "run", folder: tiny.run }, options, { threads: 1 }).result;
  const weights = (name: string) => readFileSync(at(`${name}/model.safetensors`));
  expect(weights("by-job").equals(weights("by-call"))).toBe(true);
  await expect(start(job("refused", { base: "0", adapter: "1" })).result).rejects.toThrow(/adapter|--model/);
  expect(existsSync(at("refused"))).toBe(false);
});

test("compare runs its cells on the content it was made for", async () => {
  const { record } = await readRun(environment.files, tiny.run);
  const { settings, fingerprints } = jobOf(record);
  const base = { ...settings, "density-weight": 0.5, "max-steps": 2, output: at("cells") };
  const { rows } = await start(sent({ job: "compare", settings: base, fingerprints })).result;
  expect(rows).toHaveLength(1);
  const other = { ...base, output: at("refused-cells") };
  await expect(start(sent({ job: "compare", settings: other, fingerprints: { data: "0" } })).result).rejects.toThrow(
    "the content the job was made for",
  );
  expect(existsSync(at("refused-cells"))).toBe(false);
});
