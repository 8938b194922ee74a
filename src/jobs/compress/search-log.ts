// What a search has measured, kept in a file.
import * as z from "zod";
import { parseJson, requireShape } from "../../hub/index.ts";
import type { Measured, Sizes } from "../../prune/index.ts";
import type { Candidate } from "../../runs/index.ts";
import type { Files } from "../../tensor/index.ts";
import type { LatencyShare } from "./latency-budget.ts";

const CANDIDATE = z.looseObject({
  sizes: z.array(z.int().min(0)),
  score: z.number().optional(),
  lost: z.number().optional(),
  divergence: z.number().optional(),
  latency: z.number().optional(),
  latencyParts: z.looseObject({ reading: z.number(), token: z.number() }).optional(),
});

/** Measurements of a search by candidate, in a file: a search that was stopped goes on where it was. */
export class SearchLog {
  readonly #files: Files;
  readonly #file: string;
  readonly #known = new Map<string, Candidate>();

  private constructor(files: Files, file: string) {
    this.#files = files;
    this.#file = file;
  }

  /** @throws {DataError} when the file is damaged. A file of another search is begun anew. */
  static async open(files: Files, file: string, key: string): Promise<SearchLog> {
    const memory = new SearchLog(files, file);
    const lines =
      (await files.stat(file)) === null ? [] : (await files.readText(file)).split("\n").filter((line) => line !== "");
    const [head, ...rest] = lines.map(
      (line) => parseJson(file, line) as (Candidate & { readonly key?: string }) | null,
    );
    if (head?.key === key)
      for (const [i, one] of rest.entries()) {
        requireShape(file, CANDIDATE, one, i + 2);
        memory.#merge(one!);
      }
    else await files.write(file, `${JSON.stringify({ key })}\n`);
    return memory;
  }

  get candidates(): readonly Candidate[] {
    return [...this.#known.values()];
  }

  async measured(sizes: Sizes, measure: () => Promise<Measured>): Promise<Measured> {
    const known = this.#known.get(sizes.join());
    if (known?.score !== undefined && known.lost !== undefined) return { score: known.score, lost: known.lost };
    const measured = await measure();
    await this.#add({ sizes, ...measured });
    return measured;
  }

  async divergence(sizes: Sizes, measure: () => Promise<number>): Promise<number> {
    const known = this.#known.get(sizes.join())?.divergence;
    if (known !== undefined) return known;
    const divergence = await measure();
    await this.#add({ sizes, divergence });
    return divergence;
  }

  async latency(sizes: Sizes, measure: () => Promise<LatencyShare>): Promise<number> {
    const known = this.#known.get(sizes.join())?.latency;
    if (known !== undefined) return known;
    const { latency, parts } = await measure();
    await this.#add({ sizes, latency, ...(parts === undefined ? {} : { latencyParts: parts }) });
    return latency;
  }

  async #add(candidate: Candidate): Promise<void> {
    this.#merge(candidate);
    await this.#files.append(this.#file, `${JSON.stringify(candidate)}\n`);
  }

  #merge(candidate: Candidate): void {
    const key = candidate.sizes.join();
    this.#known.set(key, { ...this.#known.get(key), ...candidate });
  }
}
