// Data: text files to examples, examples to token ids, token ids to batches.
// Takes files, a task and a tokenizer; gives examples, encoded examples and `Batch`es in an order fixed by the seed.
// Never: pads to anything but what it is told; guesses a label; loads a file whole that can stream.
export type { Truncation } from "./template.ts";
export {
  createTokenizer,
  type EncodeOptions,
  type Encoding,
  type SpecialIds,
  type Tokenizer,
  type TokenizerConfigJson,
  type TokenizerJson,
} from "./tokenizer.ts";
export { loadTokenizer } from "./tokenizer-files.ts";
