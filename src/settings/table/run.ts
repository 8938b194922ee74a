// Settings of a run: its folder, where it computes, and what that takes.
import { count, oneOf, text, yesNo } from "./kinds.ts";
import { type Setting, TRAINING } from "./setting.ts";

const COMMON = { group: "more", heading: "Run", affects: "free", commands: TRAINING } as const;

export const RUN_SETTINGS = {
  output: {
    ...COMMON,
    kind: text(),
    help: "Write the run into this folder.",
    value: "RUN",
    completes: "folder",
    group: "basic",
    at: "output",
    option: "none",
    commands: ["demo", ...TRAINING],
  },
  resume: {
    ...COMMON,
    kind: yesNo(),
    default: false,
    help: "Continue the run in --output.",
    group: "basic",
    at: "resume",
    needs: [
      { key: "output", when: [true], given: true, expected: "--output RUN, the run to resume", got: "no --output" },
    ],
    commands: ["train", "compare"],
  },
  backend: {
    ...COMMON,
    kind: oneOf(["cpu", "webgpu", "cuda"]),
    default: "cpu",
    help: "Compute on this backend.",
    at: "backend",
    commands: [...TRAINING, "eval", "predict", "profile"],
  },
  threads: {
    ...COMMON,
    kind: count(),
    help: "Use this many threads, in place of one for each physical core.",
    at: "threads",
    commands: ["demo", ...TRAINING, "eval", "predict", "profile", "compress", "export", "bench"],
  },
  "copy-base": {
    ...COMMON,
    kind: yesNo(),
    help: "Train on a copy of the model's weights in the cache, so that other programs may write to the model's own files meanwhile.",
    default: false,
    at: "copyBase",
    isLater: true,
  },
  memory: {
    ...COMMON,
    affects: "step",
    kind: oneOf(["low", "balanced", "fast"]),
    default: "balanced",
    help: "Take a step with the least memory, in small parts of a batch, or fastest, with all results kept and matrices packed.",
    at: "memory",
    isLater: true,
  },
  recompute: {
    ...COMMON,
    kind: yesNo(),
    help: "Keep less until the backward pass and train a little slower; large models, and --memory low, do so without being asked.",
    at: "recompute",
  },
  staged: {
    ...COMMON,
    kind: yesNo(),
    help: "Train block by block, with far less memory and about 1.5 times the time; very large models do so without being asked.",
    at: "staged",
  },
} as const satisfies Readonly<Record<string, Setting>>;
