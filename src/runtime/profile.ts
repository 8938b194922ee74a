// ONNX Runtime's profile read by site: where a step's time goes, in the model's own names.
import { DataError } from "../errors.ts";

/** Time of one site, summed over the profiled runs. */
export interface SiteTime {
  readonly site: string;
  readonly op: string;
  readonly durationMs: number;
  readonly calls: number;
}

interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  /** Microseconds. */
  readonly dur?: number;
  readonly args?: { readonly op_name?: string };
}

const KERNEL = /_kernel_time$/;

/**
 * Kernel times by site and op, longest first, from the JSON that `CompileOptions.profilePrefix` makes the runtime write.
 * `sites` maps ONNX node names to sites (`Program.sites`); nodes that the runtime made itself come under their own name.
 * @throws {DataError} when the text is not such a profile.
 */
export function profileBySite(json: string, sites: ReadonlyMap<string, string>, file = "profile.json"): SiteTime[] {
  let events: unknown;
  try {
    events = JSON.parse(json);
  } catch (cause) {
    throw new DataError(file, { expected: "ONNX Runtime's profile as JSON", got: "text that is not JSON", cause });
  }
  if (!Array.isArray(events)) throw new DataError(file, { expected: "a list of profile events", got: typeof events });
  const times = new Map<string, { site: string; op: string; durationMs: number; calls: number }>();
  for (const { cat, name = "", dur = 0, args } of events as ProfileEvent[]) {
    if (cat !== "Node" || !KERNEL.test(name)) continue;
    const node = name.replace(KERNEL, "");
    const site = sites.get(node) ?? node.replace(/\/[^/]*$/, "");
    const op = args?.op_name ?? "";
    const sum = times.get(`${site}\n${op}`) ?? { site, op, durationMs: 0, calls: 0 };
    sum.durationMs += dur / 1000;
    sum.calls++;
    times.set(`${site}\n${op}`, sum);
  }
  return [...times.values()].sort((a, b) => b.durationMs - a.durationMs);
}
