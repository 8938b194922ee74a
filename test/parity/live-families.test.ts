// Every type of encoder besides BERT and RoBERTa: some variants of its config with the core methods.
import { describe } from "vitest";
import { ENCODER_TYPES } from "../../src/models/index.ts";
import { liveParity } from "./live.ts";

describe.each(ENCODER_TYPES.filter((type) => type !== "bert" && type !== "roberta"))("%s", (type) => {
  liveParity(type, 16);
});
