// Jobs as text: what is read is what was written, and every mistake is named.
import { describe, expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { resolveSettings } from "../settings/index.ts";
import { type Job, jobOf, readJob } from "./job.ts";

const BASICS = { model: "m", task: "sst2", data: "d" } as const;
const RUN = { kind: "run", folder: "runs/one" } as const;

const JOBS: readonly Job[] = [
  { job: "train", settings: { ...BASICS, method: "ia3", epochs: 2 }, fingerprints: { base: "sha256:1", data: "2" } },
  { job: "compare", settings: { ...BASICS, methods: ["lora", "adapter"], seeds: [1, 2] } },
  { job: "evaluate", target: RUN, settings: { split: "dev", threads: 1 } },
  { job: "compress", target: RUN, options: { output: "small", "score-budget": 1 }, settings: {} },
  {
    job: "compress",
    target: { kind: "model", model: "m", adapter: null },
    options: { output: "small", skip: "3,7" },
    settings: { task: "sst2", data: "d" },
    fingerprints: { base: "sha256:1" },
  },
];

test.each(JOBS.map((job) => [job.job, job] as const))("%s is read as it was written", (_, job) => {
  expect(readJob(JSON.stringify(job))).toEqual(job);
});

test("a run's job makes its settings again, whatever they are", () => {
  const flags = { ...BASICS, method: "prefix", "virtual-tokens": 7, "density-weight": 0.3, ada: true, output: "o" };
  const settings = resolveSettings({ flags });
  const fingerprints = { base: "sha256:1", data: "2" };
  const job = readJob(JSON.stringify(jobOf({ settings, fingerprints })));
  expect(resolveSettings({ flags: job.settings })).toEqual(settings);
  expect(job.fingerprints).toEqual(fingerprints);
});

/** `PATH: expected …, got …` of each mistake. */
function mistakes(text: string): string[] {
  try {
    readJob(text);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.issues.map(({ path, expected, got }) => `${path}: expected ${expected}, got ${got}`);
    throw error;
  }
  return [];
}

describe("refused", () => {
  test.each([
    ["no JSON", "{", /^job: expected a job's JSON, got .*JSON/],
    ["no object", "[]", /^job: expected train, compare, compress or evaluate, got nothing$/],
    ["another kind", { job: "sweep" }, /^job: expected train, compare, compress or evaluate, got "sweep"$/],
    ["a key there is not", { job: "train", settings: BASICS, when: "now" }, /^when: expected no such key, got "now"$/],
    [
      "no target",
      { job: "evaluate", settings: {} },
      /^target: expected \{ "kind": "run", "folder" \} or .*, got nothing$/,
    ],
    [
      "a fingerprint that is a number",
      { job: "train", settings: BASICS, fingerprints: { base: 7 } },
      /^fingerprints: expected fingerprints by part, such as base and data, got \{"base":7\}$/,
    ],
    [
      "settings that lack one",
      { job: "train", settings: { model: "m", task: "sst2" } },
      /^--data: expected .*nothing$/,
    ],
    ["a setting there is not", { job: "train", settings: { ...BASICS, ranks: 8 } }, /ranks: .*rank/],
    ["a value out of range", { job: "compare", settings: { ...BASICS, rank: -1 } }, /^--rank: .*got -1$/],
    [
      "rules that exclude each other",
      { ...JOBS[3], options: { output: "o", "score-budget": 1, skip: 2 } },
      /no other rule/,
    ],
  ])("%s", (_, job, message) => {
    const found = mistakes(typeof job === "string" ? job : JSON.stringify(job));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });

  test("every mistake at once", () => {
    expect(mistakes(JSON.stringify({ job: "compress", settings: 3, when: "now" })).sort()).toEqual([
      "options: expected flags of deft compress by name, got nothing",
      "settings: expected settings by name, got 3",
      expect.stringMatching(/^target: /),
      'when: expected no such key, got "now"',
    ]);
  });
});
