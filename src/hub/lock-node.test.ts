// Locks of folders: one holder at a time, those that are gone taken over, those of other machines left alone.
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { nodeFiles } from "./files-node.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const files = nodeFiles();
let places = 0;
/** A lock's path in a folder of its own, with `content` where it is there already. */
function place(content?: unknown): string {
  const path = join(folder, String(places++), ".lock");
  if (content === undefined) return path;
  mkdirSync(join(path, ".."));
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
const SINCE = "2026-01-02T03:04:05.000Z";
/** The number of a process that has ended. */
const gone = () => spawnSync(process.execPath, ["-e", ""]).pid;

describe("a lock", () => {
  test("is held once, by this process or through a link, until it is released; then its folder is as before", async () => {
    const path = place();
    const lock = await files.lock(path);
    expect(lock.takenFrom).toBeNull();
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid, host: hostname() });
    await expect(files.lock(path)).rejects.toThrow(
      /expected a folder that nobody else writes, got one held by this process/,
    );
    const link = join(folder, "link");
    symlinkSync(join(path, ".."), link);
    await expect(files.lock(join(link, ".lock"))).rejects.toThrow("this process");
    await lock.release();
    expect(existsSync(join(path, ".."))).toBe(false);
    await (await files.lock(path)).release();
  });

  test("leaves a folder that was there, or that holds something", async () => {
    const [there, filled] = [place(), place()];
    mkdirSync(join(there, ".."));
    await (await files.lock(there)).release();
    expect(existsSync(join(there, ".."))).toBe(true);
    const lock = await files.lock(filled);
    writeFileSync(join(filled, "..", "run.json"), "{}");
    await lock.release();
    expect(existsSync(join(filled, "..", "run.json"))).toBe(true);
  });

  test("of a process that runs names it", async () => {
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    const path = place({ pid: other.pid, host: hostname(), since: SINCE, started: null });
    const error = (await files.lock(path).catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toContain(`held by process ${other.pid} on ${hostname()}, since ${SINCE}`);
    expect(error.message).toContain("Wait until it has ended, or choose another folder.");
    expect(error.message).not.toContain("remove");
    other.kill("SIGKILL");
  });

  test("of another machine is left, and says what to remove", async () => {
    const path = place({ pid: 1, host: "elsewhere", since: SINCE, started: null });
    await expect(files.lock(path)).rejects.toThrow(
      new RegExp(`process 1 on elsewhere.*\\n.*If that process is gone, remove .*${".lock"}`),
    );
    expect(existsSync(path)).toBe(true);
  });

  test.each([
    ["of a process that has ended", () => ({ pid: gone(), host: hostname(), since: SINCE, started: null })],
    [
      "of an earlier process of that number",
      () => ({ pid: process.ppid, host: hostname(), since: SINCE, started: "a 1" }),
    ],
  ])("%s is taken over, and says from whom", async (_, holder) => {
    const path = place(holder());
    const lock = await files.lock(path);
    expect(lock.takenFrom).toMatchObject({ host: hostname(), since: SINCE });
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid });
    await lock.release();
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["no holder", "{}"],
  ])("that says %s is another's while it is new", async (_, content) => {
    const path = place(content);
    await expect(files.lock(path)).rejects.toThrow("a process that is just beginning");
    utimesSync(path, new Date(0), new Date(0));
    await (await files.lock(path)).release();
  });

  test("that two find gone is taken by one", async () => {
    const script = `
      const { nodeFiles } = await import(${JSON.stringify(join(import.meta.dirname, "files-node.ts"))});
      for (const path of process.argv.slice(1)) {
        await nodeFiles().lock(path).then(() => console.log("took"), () => console.log("left"));
      }
      await new Promise((resolve) => setTimeout(resolve, 1500));
    `;
    const left = { pid: gone(), host: hostname(), since: SINCE, started: null };
    const paths = Array.from({ length: 40 }, () => place(left));
    const outcomes = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<string[]>((resolve) => {
            const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, ...paths]);
            let text = "";
            child.stdout.on("data", (piece: Buffer) => {
              text += piece.toString();
            });
            child.on("close", () => resolve(text.trim().split("\n")));
          }),
      ),
    );
    for (const at of paths.keys()) expect(outcomes.filter((lines) => lines[at] === "took")).toHaveLength(1);
  });
});
