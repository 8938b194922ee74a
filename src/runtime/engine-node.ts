// ONNX Runtime's package for Node: where it may lie, and how it is loaded when a program is first compiled.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BackendError } from "../errors.ts";
import type { Ort } from "./program.ts";

/** The release that this package is tested with, and that `deft setup` fetches. */
export const ENGINE = { name: "onnxruntime-node", version: "1.30.0" } as const;

/** A copy of ONNX Runtime that has binaries for this machine. */
export interface Engine {
  readonly folder: string;
  readonly version: string;
  /** `package` when Node finds it from this package, `cache` when `deft setup` has put it there. */
  readonly origin: "package" | "cache";
}

/** Where to look for ONNX Runtime, and what to do when it is in neither place. */
export interface EngineOptions {
  /** The folder of `deftCacheFolder`; without it only packages that Node finds are looked at. */
  readonly cacheFolder?: string;
  /** Asked for a copy when none is found. */
  readonly onMissing?: () => Promise<Engine>;
}

/** What ONNX Runtime's Node package adds to what both packages share. */
export interface NodeOrt extends Ort {
  listSupportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[];
}

/** The folder in the cache that holds the release for this platform, as an npm project of its own. */
export function engineProject(cacheFolder: string): string {
  return join(cacheFolder, "engine", `${ENGINE.name}-${ENGINE.version}-${process.platform}-${process.arch}`);
}

/** The binaries of a platform inside a copy of the package. */
export const BINARIES = "bin/napi-v6";

/**
 * The copy of ONNX Runtime to use: one that Node finds from this package, else the one in the cache; null without either.
 * A copy counts when its version is 1.30 or a later 1.x, and when it holds binaries for this platform.
 */
export function findEngine({ cacheFolder }: EngineOptions = {}): Engine | null {
  const beside = engineIn(packageFolder(), "package");
  return beside ?? (cacheFolder === undefined ? null : cachedEngine(cacheFolder));
}

/** The copy in the cache; null when there is none that can be used. */
export function cachedEngine(cacheFolder: string): Engine | null {
  return engineIn(join(engineProject(cacheFolder), "node_modules", ENGINE.name), "cache");
}

function packageFolder(): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${ENGINE.name}/package.json`));
  } catch {
    return null;
  }
}

function engineIn(folder: string | null, origin: Engine["origin"]): Engine | null {
  if (folder === null) return null;
  const manifest = join(folder, "package.json");
  const binding = join(folder, BINARIES, process.platform, process.arch, "onnxruntime_binding.node");
  if (!existsSync(manifest) || !existsSync(binding)) return null;
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
  return isTested(version) ? { folder, version, origin } : null;
}

function isTested(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = ENGINE.version.split(".").map(Number);
  return major === wantedMajor && minor! >= wantedMinor!;
}

const loaded = new Map<string, NodeOrt>();

/**
 * ONNX Runtime, loaded once a process.
 * @throws {BackendError} when no copy is found, or when its library does not load on this machine.
 */
export async function loadEngine(options: EngineOptions = {}): Promise<NodeOrt> {
  const engine = findEngine(options) ?? (await options.onMissing?.()) ?? null;
  if (engine === null) {
    throw new BackendError(ENGINE.name, "load", "expected ONNX Runtime for Node, got none", {
      hint: `Run \`npx deft setup\`, which fetches it once for this machine; or \`${installCommand()}\` in the project.`,
    });
  }
  return loaded.get(engine.folder) ?? load(engine);
}

function load({ folder }: Engine): NodeOrt {
  try {
    const ort = createRequire(join(folder, "package.json"))(folder) as NodeOrt;
    loaded.set(folder, ort);
    return ort;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BackendError(ENGINE.name, "load", `${folder}: ${message}`, { cause });
  }
}

/** The command that puts ONNX Runtime into a project without its install script, which downloads CUDA's files. */
export function installCommand(): string {
  return `npm install --ignore-scripts ${ENGINE.name}@${ENGINE.version}`;
}
