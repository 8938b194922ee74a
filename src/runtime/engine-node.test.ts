import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BackendError, FileError } from "../errors.ts";
import { fetchEngine } from "./engine-fetch-node.ts";
import { BINARIES, cachedEngine, ENGINE, engineProject, findEngine, loadEngine } from "./engine-node.ts";
import { webBackend } from "./web.ts";

const PLATFORM = [process.platform, process.arch] as const;
const isPosix = process.platform !== "win32";
let cacheFolder: string;

beforeEach(() => {
  cacheFolder = mkdtempSync(join(tmpdir(), "deft-engine-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cacheFolder, { recursive: true });
});

function putInCache({ version = ENGINE.version as string, platform = PLATFORM as readonly string[] } = {}): string {
  const folder = join(engineProject(cacheFolder), "node_modules", ENGINE.name);
  const binaries = join(folder, BINARIES, ...platform);
  mkdirSync(binaries, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ version, main: "index.js" }));
  writeFileSync(join(binaries, "onnxruntime_binding.node"), "not a library");
  writeFileSync(
    join(folder, "index.js"),
    'require("./bin/napi-v6/" + process.platform + "/" + process.arch + "/onnxruntime_binding.node")',
  );
  return folder;
}

describe("findEngine", () => {
  it("takes the package that Node finds before the cache", () => {
    putInCache();
    expect(findEngine({ cacheFolder })).toMatchObject({ origin: "package", version: ENGINE.version });
  });

  it.each([
    ["1.30.0", true],
    ["1.30.4", true],
    ["1.31.0", true],
    ["1.29.9", false],
    ["0.30.0", false],
    ["2.0.0", false],
  ])("takes version %s from the cache: %s", (version, isTaken) => {
    const folder = putInCache({ version });
    expect(cachedEngine(cacheFolder)).toEqual(isTaken ? { folder, version, origin: "cache" } : null);
  });

  it("takes no copy without binaries for this platform, and none where there is nothing", () => {
    expect(cachedEngine(cacheFolder)).toBeNull();
    putInCache({ platform: ["plan9", "mips"] });
    expect(cachedEngine(cacheFolder)).toBeNull();
  });
});

it("the package names one release: for tests, as peers and for setup", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  for (const name of [ENGINE.name, "onnxruntime-web"]) {
    expect(manifest.devDependencies[name]).toBe(ENGINE.version);
    // a project's older onnxruntime-node is no conflict: it is passed over for the copy in the cache
    expect(manifest.peerDependencies[name]).toBe(name === ENGINE.name ? "*" : `^${ENGINE.version}`);
    expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
    expect(manifest.dependencies[name]).toBeUndefined();
  }
  expect(readFileSync(new URL("./web.ts", import.meta.url), "utf8")).toContain(`VERSION = "${ENGINE.version}"`);
});

it("loads one ONNX Runtime a process, with a session and its providers", async () => {
  const [first, second] = [await loadEngine(), await loadEngine({ cacheFolder })];
  expect(second).toBe(first);
  expect(first.listSupportedBackends().map(({ name }) => name)).toContain("cpu");
});

it("onnxruntime-web that is not installed is an error that names the command", async () => {
  vi.doMock("onnxruntime-web", () => {
    throw Object.assign(new Error("Cannot find package 'onnxruntime-web'"), { code: "ERR_MODULE_NOT_FOUND" });
  });
  const opened = webBackend().open({ bytes: new Uint8Array() } as never);
  await expect(opened).rejects.toThrow(BackendError);
  await expect(opened).rejects.toThrow(/npm install onnxruntime-web@1\.30\.0/);
  vi.doUnmock("onnxruntime-web");
});

/** A program called `npm` that comes first on the path. */
function stubNpm(script: string): void {
  const folder = join(cacheFolder, "path");
  mkdirSync(folder);
  writeFileSync(join(folder, "npm"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`);
}

const INSTALLS = `
printf '%s ' "$@" >"${"$"}DEFT_TEST_ARGUMENTS"
for place in ${PLATFORM.join("/")} ${PLATFORM[0]}/mips plan9/${PLATFORM[1]}; do
  mkdir -p "node_modules/${ENGINE.name}/${BINARIES}/$place"
  echo library >"node_modules/${ENGINE.name}/${BINARIES}/$place/onnxruntime_binding.node"
done
echo '{ "version": "${ENGINE.version}" }' >node_modules/${ENGINE.name}/package.json`;

const left = () => (existsSync(join(cacheFolder, "engine")) ? readdirSync(join(cacheFolder, "engine")) : []);

describe.runIf(isPosix)("fetchEngine", () => {
  it("asks npm for the release without its scripts, and keeps this platform's binaries", async () => {
    stubNpm(INSTALLS);
    const said: string[] = [];
    const asked = join(cacheFolder, "arguments");
    vi.stubEnv("DEFT_TEST_ARGUMENTS", asked);
    const engine = await fetchEngine({ cacheFolder, say: (line) => said.push(line) });
    expect(readFileSync(asked, "utf8")).toMatch(/^install onnxruntime-node@1\.30\.0 --ignore-scripts /);
    expect(said).toEqual([expect.stringMatching(/^Fetching ONNX Runtime .* from the npm registry into /)]);
    expect(engine).toEqual(cachedEngine(cacheFolder));
    expect(readdirSync(join(engine.folder, BINARIES))).toEqual([PLATFORM[0]]);
    expect(readdirSync(join(engine.folder, BINARIES, PLATFORM[0]))).toEqual([PLATFORM[1]]);
    expect(left()).toHaveLength(1);
  });

  it("replaces a copy that cannot be used", async () => {
    putInCache({ version: "1.2.3" });
    stubNpm(INSTALLS);
    vi.stubEnv("DEFT_TEST_ARGUMENTS", join(cacheFolder, "arguments"));
    expect((await fetchEngine({ cacheFolder })).version).toBe(ENGINE.version);
    expect(left()).toHaveLength(1);
  });

  it("fails with npm's words, and leaves nothing behind", async () => {
    stubNpm("echo 'npm error code E404' >&2; echo 'npm error 404 Not Found' >&2; exit 1");
    const fetching = fetchEngine({ cacheFolder });
    await expect(fetching).rejects.toThrow(FileError);
    await expect(fetching).rejects.toThrow(
      /exit code 1\nnpm error code E404\nnpm error 404 Not Found\n.*npx deft setup/,
    );
    expect(left()).toEqual([]);
  });

  it("fails without npm, and off line before anything is asked", async () => {
    vi.stubEnv("PATH", join(cacheFolder, "nothing-here"));
    await expect(fetchEngine({ cacheFolder })).rejects.toThrow(/npm cannot be started/);
    await expect(fetchEngine({ cacheFolder, isOffline: true })).rejects.toThrow(/HF_HUB_OFFLINE is set/);
    expect(left()).toEqual([]);
  });

  it("says when a release has no binaries for this platform", async () => {
    stubNpm(
      `mkdir -p node_modules/${ENGINE.name}/${BINARIES}/plan9; echo '{ "version": "${ENGINE.version}" }' >node_modules/${ENGINE.name}/package.json`,
    );
    await expect(fetchEngine({ cacheFolder })).rejects.toThrow(`no binaries for ${PLATFORM.join("-")}`);
    expect(left()).toEqual([]);
  });
});
