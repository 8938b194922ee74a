import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError, FileError } from "../../src/errors.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { float32 } from "../../src/tensor/index.ts";

const files = nodeFiles();
let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "deft-files-")));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

async function failure(act: Promise<unknown>): Promise<FileError> {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FileError);
  return error as FileError;
}

describe("nodeFiles", () => {
  it("writes, reads, appends, lists, moves and removes", async () => {
    const path = join(root, "a/b/c.txt");
    await files.write(path, "héllo");
    await files.append(path, "\nline");
    expect(await files.readText(path)).toBe("héllo\nline");
    expect(await files.stat(path)).toMatchObject({ sizeBytes: 11, isFolder: false });
    expect(await files.readRange(path, 7, 2)).toEqual(new TextEncoder().encode("li"));
    expect(await files.readRange(path, 9, 100)).toHaveLength(2);
    async function* chunks() {
      yield Uint8Array.of(1, 2);
      yield Uint8Array.of(3);
    }
    await files.write(join(root, "a/b/d"), chunks());
    expect(await files.read(join(root, "a/b/d"))).toEqual(Uint8Array.of(1, 2, 3));
    expect(await files.list(join(root, "a/b"))).toEqual(["c.txt", "d"]);
    await files.rename(join(root, "a"), join(root, "z"));
    await files.sync(join(root, "z"));
    const streamed: number[] = [];
    for await (const chunk of files.stream(join(root, "z/b/d"))) streamed.push(...chunk);
    expect(streamed).toEqual([1, 2, 3]);
    await files.remove(join(root, "z"));
    await files.remove(join(root, "z"));
    expect(await files.stat(join(root, "z"))).toBeNull();
  });

  it("leaves the old file whole, and nothing beside it, when a write fails half way", async () => {
    const path = join(root, "model.bin");
    await files.write(path, "old");
    async function* breaks() {
      yield Uint8Array.of(1, 2);
      throw new FileError("source", "expected more, got an end");
    }
    expect((await failure(files.write(path, breaks()))).file).toBe("source");
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(root)).toEqual(["model.bin"]);
  });

  it("names what is missing and what was near", async () => {
    await files.write(join(root, "models/minilm/config.json"), "{}");
    const error = await failure(files.read(join(root, "models/minilmm/config.json")));
    expect(error.message.replaceAll(root, "ROOT")).toMatchInlineSnapshot(`
      "ROOT/models/minilmm/config.json: cannot read: expected a file or folder one may use, got nothing there
      There is no "minilmm" in ROOT/models; did you mean "minilm"?"
    `);
    for (const act of ["readText", "list", "realPath", "sync"] as const) {
      expect((await failure(files[act](join(root, "models/minilmm")))).hint).toContain('did you mean "minilm"?');
    }
    expect((await failure(files.rename(join(root, "gone"), join(root, "new")))).file).toBe(join(root, "gone"));
    expect(
      (
        await failure(
          (async () => {
            for await (const _ of files.stream(join(root, "x")));
          })(),
        )
      ).file,
    ).toBe(join(root, "x"));
  });

  it("explains a file in a folder's place and a folder in a file's", async () => {
    await writeFile(join(root, "file"), "");
    await mkdir(join(root, "folder"));
    expect((await failure(files.write(join(root, "file/x"), ""))).message).toMatch(
      /a file where a folder is needed|already there/,
    );
    expect((await failure(files.write(join(root, "folder"), "x"))).message).toContain("got a folder");
    expect((await failure(files.read(join(root, "folder")))).message).toContain("got a folder");
    expect(await readdir(root)).toEqual(["file", "folder"]);
    expect(await files.stat(join(root, "file/x"))).toBeNull();
  });

  it.skipIf(process.getuid?.() === 0)("explains a folder one may not write (not as root)", async () => {
    await mkdir(join(root, "locked"));
    await chmod(join(root, "locked"), 0o500);
    const error = await failure(files.write(join(root, "locked/x"), ""));
    expect(error.message).toContain("no permission");
  });

  it.skipIf(process.platform !== "linux")("explains a full disk and leaves nothing behind", async () => {
    // every write to /dev/full fails with ENOSPC
    expect((await failure(files.append("/dev/full", "line\n"))).message).toMatch(/a full disk/);
  });

  it("names the line that is not UTF-8", async () => {
    await writeFile(join(root, "data.tsv"), Uint8Array.of(0x61, 0x0a, 0xff));
    await expect(files.readText(join(root, "data.tsv"))).rejects.toThrow(DataError);
    await expect(files.readText(join(root, "data.tsv"))).rejects.toThrow("data.tsv:2: expected UTF-8 text");
  });

  it("finds the real file behind links, so that a runtime may map it", async () => {
    await files.write(join(root, "blobs/abc"), safetensorsBytes(new Map([["w", float32([2], [1, 2])]])));
    await mkdir(join(root, "snapshot"));
    await symlink("../blobs/abc", join(root, "snapshot/model.safetensors"));
    const weight = (await openSafetensors(files, join(root, "snapshot/model.safetensors"))).get("w")!;
    expect(weight.span).toMatchObject({ folder: join(root, "blobs"), name: "abc" });
    expect(await weight.read()).toEqual(float32([2], [1, 2]));
  });

  it("survives being killed while writing: the old file or the new one, whole", async () => {
    const path = join(root, "state");
    const old = "o".repeat(1000);
    await files.write(path, old);
    const module = new URL("../../src/hub/files-node.ts", import.meta.url).href;
    const script = `
      const { nodeFiles } = await import(${JSON.stringify(module)});
      async function* slow() { for (;;) { yield new Uint8Array(1000); setTimeout(() => process.kill(process.pid, "SIGKILL"), 5); await new Promise((r) => setTimeout(r, 1)); } }
      await nodeFiles().write(${JSON.stringify(path)}, slow());`;
    expect(() =>
      execFileSync("node_modules/.bin/tsx", ["--input-type=module", "-e", script], { stdio: "ignore" }),
    ).toThrow();
    expect(await readFile(path, "utf8")).toBe(old);
    // what the killed process had begun lies beside it, under a name nobody reads
    expect((await readdir(root)).filter((name) => name !== "state")).toEqual([
      expect.stringMatching(/^\.state\.\d+-0\.tmp$/),
    ]);
  });
});
