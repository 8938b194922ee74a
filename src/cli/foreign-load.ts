// What other programs take of the processors' time, as Linux tells it in /proc: benchmarks count only rounds that had the machine to themselves.

import { readdirSync, readFileSync } from "node:fs";
import type { LoadMeter } from "../jobs/index.ts";

/** Processor time of the machine and of some processes at one moment, in ticks of the system's clock. */
export interface LoadSnapshot {
  /** Of all processors: at work, for whatever program, or taken away by the host (steal). */
  readonly busy: number;
  /** Of all processors, idle or not. */
  readonly total: number;
  /** Own processes by id and start, since ids are used again. */
  readonly own: ReadonlyMap<string, OwnProcess>;
}

interface OwnProcess {
  readonly parent: string;
  /** Of all its threads, and of its children that have ended. */
  readonly ticks: number;
}

/**
 * The share of the processors' time between two snapshots that was not of own processes, in [0, 1]; null where no time has passed. An
 * own process that ended in between counts where its parent is an own one too, which takes its time over.
 */
export function foreignShare(before: LoadSnapshot, after: LoadSnapshot): number | null {
  const total = after.total - before.total;
  if (total <= 0) return null;
  let own = 0;
  for (const { ticks } of after.own.values()) own += ticks;
  for (const [key, { ticks }] of before.own) if (isAccountedFor(key, before, after)) own -= ticks;
  return Math.min(1, Math.max(0, (after.busy - before.busy - Math.max(0, own)) / total));
}

/** Whether a process of before is still there, or one that has waited for it or for its parents. */
function isAccountedFor(key: string, before: LoadSnapshot, after: LoadSnapshot): boolean {
  for (let at: string | undefined = key; at !== undefined; at = before.own.get(at)?.parent)
    if (after.own.has(at)) return true;
  return false;
}

/** A snapshot from the text of /proc/stat and those of /proc/PID/stat: own are the `roots` and what descends from them. */
export function loadSnapshot(stat: string, processes: readonly string[], roots: readonly number[]): LoadSnapshot {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  const busy = user + nice + system + irq + softirq + steal;
  const byId = new Map(processes.flatMap((text) => parsed(text) ?? []).map((of) => [of.id, of]));
  const own = new Map<string, OwnProcess>();
  for (const process of byId.values()) {
    let root: Process | undefined = process;
    while (root !== undefined && !roots.includes(root.id)) root = byId.get(root.parent);
    const parent = byId.get(process.parent)?.key ?? "";
    if (root !== undefined) own.set(process.key, { parent, ticks: process.ticks });
  }
  return { busy, total: busy + idle + iowait, own };
}

interface Process {
  readonly id: number;
  readonly parent: number;
  readonly key: string;
  readonly ticks: number;
}

/** One /proc/PID/stat; null for what is none. The name in its second field may hold spaces and parentheses. */
function parsed(text: string): Process | null {
  const end = text.lastIndexOf(") ");
  if (end < 0) return null;
  const id = Number.parseInt(text, 10);
  const fields = text.slice(end + 2).split(" ");
  // proc(5): state is the third field; utime, stime, cutime and cstime are the 14th to 17th, starttime the 22nd
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { id, parent: Number(fields[1]), key: `${id}/${fields[19]}`, ticks };
}

/** Ticks of all processors in a window: 5 % of fewer are too few to count. */
const LEAST_TICKS = 60;

/**
 * Measures against these processes, their threads and all their descendants: without `roots` this one's. A tick is 10 ms, so a window
 * must last until 60 of them have passed on all processors together: 0.3 s with two.
 */
export function foreignLoadMeter(roots: readonly number[] = [process.pid]): LoadMeter {
  return {
    start() {
      const before = readSnapshot(roots);
      if (before === null || before.total === 0) return null;
      return {
        isLong() {
          const stat = textOf("/proc/stat");
          return stat !== null && loadSnapshot(stat, [], []).total - before.total >= LEAST_TICKS;
        },
        share() {
          const after = readSnapshot(roots);
          return after === null ? null : foreignShare(before, after);
        },
      };
    },
  };
}

/** Null on systems without /proc/stat. */
function readSnapshot(roots: readonly number[]): LoadSnapshot | null {
  const stat = textOf("/proc/stat");
  if (stat === null) return null;
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  // a process may end while they are read
  return loadSnapshot(
    stat,
    ids.flatMap((id) => textOf(`/proc/${id}/stat`) ?? []),
    roots,
  );
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
