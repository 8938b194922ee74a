// Settings as stored, back to the method they describe.
import { adapter } from "./adapter.ts";
import { lora } from "./lora.ts";
import { full, headOnly, type Method, type MethodSettings } from "./method.ts";

/** The method that settings describe. Errors as the method's own. */
export function methodOf(settings: MethodSettings): Method {
  switch (settings.kind) {
    case "lora":
      return lora(settings);
    case "adapter":
      return adapter(settings);
    case "head":
      return headOnly();
    case "full":
      return full();
  }
}
