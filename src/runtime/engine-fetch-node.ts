// Fetches ONNX Runtime for this machine with npm, without its install script and without other platforms' binaries.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FileError, invariant } from "../errors.ts";
import { BINARIES, cachedEngine, ENGINE, type Engine, engineProject, installCommand } from "./engine-node.ts";

/** The release as it is named to people. */
const WHAT = `${ENGINE.name} ${ENGINE.version}`;
/** What npm downloads: the package holds the binaries of five platforms. */
const DOWNLOAD = "114 MB";

export interface FetchEngineOptions {
  /** The folder of `deftCacheFolder`. */
  readonly cacheFolder: string;
  /** Whether the network may not be used. */
  readonly isOffline?: boolean;
  /** Told what is fetched, from where and to where, before it begins. */
  readonly say?: (line: string) => void;
}

/**
 * Fetches the tested release from the npm registry into the cache and keeps this platform's binaries; whole or not at all.
 * npm's own settings (registry, proxy, credentials) apply. The package's install script, which downloads CUDA's files from
 * another host, does not run.
 * @throws {FileError} off line, without npm, or when npm fails.
 */
export async function fetchEngine({
  cacheFolder,
  isOffline = false,
  say = () => {},
}: FetchEngineOptions): Promise<Engine> {
  if (isOffline) throw failed("HF_HUB_OFFLINE is set");
  const project = engineProject(cacheFolder);
  say(`Fetching ONNX Runtime (${WHAT}, ${DOWNLOAD}) from the npm registry into ${project}, once for this machine.`);
  await mkdir(dirname(project), { recursive: true });
  const temporary = await mkdtemp(`${project}.`);
  try {
    await writeFile(join(temporary, "package.json"), '{ "private": true }\n');
    await npmInstall(temporary);
    const binaries = join(temporary, "node_modules", ENGINE.name, BINARIES);
    if (!existsSync(join(binaries, process.platform, process.arch))) {
      throw failed(`the release has no binaries for ${process.platform}-${process.arch}`);
    }
    await keepOnly(binaries, process.platform);
    await keepOnly(join(binaries, process.platform), process.arch);
    // another process may have been faster; its copy is as good, unless it was damaged since
    if (cachedEngine(cacheFolder) === null) {
      await rm(project, { recursive: true, force: true });
      await rename(temporary, project);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const engine = cachedEngine(cacheFolder);
  invariant(engine, `${project} holds what was fetched`);
  return engine;
}

async function keepOnly(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (entry !== name) await rm(join(folder, entry), { recursive: true, force: true });
  }
}

const ARGUMENTS = [
  "install",
  `${ENGINE.name}@${ENGINE.version}`,
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--no-package-lock",
  "--no-update-notifier",
  // what a surrounding `npx` or `npm run` was told is not meant for this folder
  "--global=false",
  "--workspaces=false",
  "--dry-run=false",
  "--omit=dev",
];

function npmInstall(cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // on Windows npm is a script of the shell; no argument holds a path, so none needs quotes
    const child = spawn("npm", ARGUMENTS, {
      cwd,
      shell: process.platform === "win32",
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4000);
    });
    child.on("error", (cause) => reject(failed(`npm cannot be started: ${cause.message}`, cause)));
    child.on("close", (code) => {
      if (code === 0) return resolve();
      const lines = stderr.split("\n").filter((line) => /^npm error (?!A complete log)/.test(line));
      reject(failed(`npm ended with exit code ${code}\n${lines.slice(0, 4).join("\n") || stderr.trim()}`));
    });
  });
}

function failed(got: string, cause?: unknown): FileError {
  return new FileError(WHAT, `expected to fetch it for this machine, but ${got}`, {
    cause,
    hint: `Where the npm registry can be reached, run \`npx deft setup\`; or install it in the project: \`${installCommand()}\`.`,
  });
}
