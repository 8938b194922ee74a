import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { memoryFiles } from "../hub/index.ts";
import type { GenerationOptions } from "../infer/index.ts";
import type { SettingsKey } from "../settings/index.ts";
import { readGenerationConfig, type WritingChoices, writingOptions } from "./generation-config.ts";

const OWN: GenerationOptions = { numBeams: 1, maxNewTokens: 128, lengthPenalty: 1, sampling: null };
const FILE = "m/generation_config.json";

function optionsOf(json: Readonly<Record<string, unknown>>, more: Partial<WritingChoices> = {}) {
  const notes: string[] = [];
  const choices = {
    own: OWN,
    asked: new Set<SettingsKey>(),
    isRun: false,
    seed: 7,
    note: (message: string) => notes.push(message),
    ...more,
  };
  return { options: writingOptions({ file: FILE, json }, 20, choices), notes };
}

describe("writingOptions", () => {
  it("takes lengths as transformers counts them, the start token too", () => {
    expect(optionsOf({ max_length: 20, min_length: 5 }).options).toMatchObject({ maxNewTokens: 19, minNewTokens: 4 });
    expect(optionsOf({ max_length: 20, max_new_tokens: 8 }).options).toMatchObject({
      maxNewTokens: 8,
      minNewTokens: 0,
    });
    // a text that may be no longer than its least ends there
    expect(optionsOf({ max_new_tokens: 4, min_new_tokens: 9 }).options).toMatchObject({
      maxNewTokens: 4,
      minNewTokens: 4,
    });
    expect(optionsOf({}).options).toMatchObject({
      maxNewTokens: 128,
      numBeams: 1,
      sampling: null,
      rules: {},
      special: {},
    });
  });

  it("lets what was asked for go first, key by key", () => {
    const json = { num_beams: 4, length_penalty: 2, max_new_tokens: 9 };
    const own = { ...OWN, numBeams: 2 };
    expect(optionsOf(json, { own, asked: new Set(["num-beams"]) }).options).toMatchObject({
      numBeams: 2,
      lengthPenalty: 2,
      maxNewTokens: 9,
    });
    expect(optionsOf(json, { asked: new Set(["max-target-length"]) }).options).toMatchObject({
      maxNewTokens: 128,
      numBeams: 4,
    });
  });

  it("draws as the file says, and as flags say over it", () => {
    expect(optionsOf({ do_sample: true, temperature: 0.5 }).options.sampling).toEqual({
      seed: 7,
      temperature: 0.5,
      topK: 50,
      topP: 1,
    });
    expect(optionsOf({ do_sample: true, top_k: 0, top_p: 0.9 }).options.sampling).toMatchObject({
      topK: null,
      topP: 0.9,
    });
    expect(optionsOf({ temperature: 0.5, top_k: 4 }).options.sampling).toBeNull();
    const asked = new Set(["top-p"] as const);
    const own = { ...OWN, sampling: { seed: 7, temperature: 1, topK: null, topP: 0.5 } };
    expect(optionsOf({ temperature: 0.5, top_k: 4 }, { own, asked }).options.sampling).toEqual({
      seed: 7,
      temperature: 0.5,
      topK: 4,
      topP: 0.5,
    });
    expect(() => optionsOf({ do_sample: true, num_beams: 2 })).toThrow(ConfigError);
    // off, these are the file's affair
    expect(optionsOf({ min_p: 0.1, typical_p: 0.5 }).options.sampling).toBeNull();
    expect(() => optionsOf({ min_p: 0.1 }, { own, asked })).toThrow("min_p: expected null, as it is not built");
  });

  it("keeps a run's own choices, and tells the flags that would follow the file", () => {
    const json = { num_beams: 4, max_new_tokens: 128, length_penalty: 2, no_repeat_ngram_size: 3, do_sample: true };
    const { options, notes } = optionsOf(json, { isRun: true });
    expect(options).toMatchObject({ ...OWN, rules: { noRepeatNgramSize: 3 } });
    expect(notes).toEqual([
      `${FILE} asks for other choices than the run was trained with, --num-beams 1 --length-penalty 1; to follow the file: --num-beams 4 --length-penalty 2`,
    ]);
    expect(optionsOf(json, { isRun: true, asked: new Set(["num-beams", "length-penalty"]) }).notes).toEqual([]);
  });

  it("tells what it does not know, and nothing of what changes no text", () => {
    const { notes } = optionsOf({
      new_in_2031: 4,
      unused_in_2031: null,
      num_return_sequences: 3,
      use_cache: true,
      cache_implementation: "static",
      _from_model_config: true,
      transformers_version: "5.23.0",
      assistant_lookbehind: 10,
    });
    expect(notes).toEqual([
      `${FILE}, num_return_sequences 3: one text is written, the best.`,
      `${FILE}: not known here, and not followed: new_in_2031.`,
    ]);
  });
});

describe("readGenerationConfig", () => {
  const t5 = { writes: true } as const;

  it("reads the file, or where there is none the keys of config.json that mean it", async () => {
    const config = { model_type: "t5", d_model: 8, num_beams: 4, eos_token_id: 1, guidance_scale: 2 };
    const none = memoryFiles([["m/x", ""]]);
    expect(await readGenerationConfig(none, "m", t5, config)).toEqual({
      file: "m/config.json",
      json: { num_beams: 4, eos_token_id: 1, guidance_scale: 2 },
    });
    const one = memoryFiles([[FILE, '{"num_beams": 2}']]);
    expect(await readGenerationConfig(one, "m", t5, config)).toEqual({ file: FILE, json: { num_beams: 2 } });
    expect(await readGenerationConfig(one, "m", { writes: false }, config)).toBeNull();
    await expect(readGenerationConfig(memoryFiles([[FILE, "[]"]]), "m", t5, config)).rejects.toThrow("a JSON object");
  });
});
