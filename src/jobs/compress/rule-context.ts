// What the rules that choose neurons work on, and what one of them decides.
import type { MergedModel } from "../../load/index.ts";
import type { Exactness, LayerFacts, LayerPlan } from "../../prune/index.ts";
import type { Candidate } from "../../runs/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { Files } from "../../tensor/index.ts";
import type { CompressData } from "./data.ts";

/** What the rules work on. */
export interface RuleContext {
  readonly frozen: MergedModel;
  readonly facts: readonly LayerFacts[];
  readonly data: CompressData;
  readonly backend: Backend;
  readonly files: Files;
  /** Where measurements of a search are kept, so that it can go on. */
  readonly searchFile: string;
  readonly searchKey: string;
  /** Accepts a plan that removes nothing (only a decoding budget was given). */
  readonly mayKeepAll: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What a rule decided. */
export interface Choice {
  readonly layers: readonly LayerPlan[];
  readonly exactness: Exactness;
  readonly chosen: Readonly<Record<string, unknown>>;
  /** Every candidate that was measured; empty where none was. */
  readonly candidates: readonly Candidate[];
}
