// Settings as stored, back to the method they describe.
import { adapter } from "./adapter.ts";
import { lora } from "./lora.ts";
import { full, headOnly, type Method, type MethodSettings } from "./method.ts";
import { prefix } from "./prefix.ts";
import { prompt } from "./prompt.ts";

/**
 * The method that settings describe. `initTokenIds` are the tokens of a prompt's `initText`, for training.
 * Errors as the method's own.
 */
export function methodOf(settings: MethodSettings, initTokenIds?: readonly number[]): Method {
  switch (settings.kind) {
    case "lora":
      return lora(settings);
    case "adapter":
      return adapter(settings);
    case "prompt":
      return prompt(settings, initTokenIds);
    case "prefix":
      return prefix(settings);
    case "head":
      return headOnly();
    case "full":
      return full();
  }
}
