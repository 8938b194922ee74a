// What a workflow needs of the machine it runs on; the doors make one.
import type { HubEvent } from "../hub/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Files } from "../tensor/index.ts";

/** A model found: its folder, and its hub id and commit when it came from the hub. */
export interface FoundModel {
  readonly folder: string;
  readonly id: string | null;
  readonly commit: string | null;
}

/** Files, runtime, hub and clock of one machine. */
export interface Environment {
  readonly files: Files;
  backend(device: "cpu" | "webgpu" | "cuda", threads: number | null): Backend;
  findModel(model: string, onProgress: (event: HubEvent) => void): Promise<FoundModel>;
  /** Where converted checkpoints are kept. */
  readonly cacheFolder: string;
  /** Folder of what ships with the package: the demo's model and data. */
  readonly assetsFolder: string;
  rssBytes(): number;
  /** Tells a person what they should know of a result: a text that was cut, a checkpoint that was taken. Absent: nobody is told. */
  note?(message: string): void;
  /** Versions by name, for records. */
  readonly versions: Readonly<Record<string, string>>;
}
