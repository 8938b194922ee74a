// How much work the steps of a tokenizer may do for one text: a tokenizer.json from elsewhere cannot hang a run, nor fill the memory.
import { UnsupportedError } from "../../errors.ts";

/** Steps for each unit of a text; a regular expression of a published tokenizer takes about ten. */
const STEPS_FOR_A_UNIT = 300;
/** Units that are added to a text's own, so that a short one may meet a large expression. */
const UNITS_MORE = 1000;
/** Steps that a unit counts for by which a text grows: it is what later steps work on. */
const STEPS_FOR_GROWTH = 10;
/** Most stages of a tokenizer.json, those inside others too: published ones have fewer than ten. */
const MOST_STAGES = 100;

/** The steps that all stages together may still take for one text, also where they work on many small parts of it. */
export class StepBudget {
  readonly #units: number;
  #left: number;

  /** @param units - Length of the text, in UTF-16 units. */
  constructor(units: number) {
    this.#units = units;
    this.#left = STEPS_FOR_A_UNIT * (units + UNITS_MORE);
  }

  /** Takes steps; false when there are not so many left. */
  take(steps = 1): boolean {
    this.#left -= steps;
    return this.#left >= 0;
  }

  /** Takes the steps of a text that grows by some units. @throws {UnsupportedError} when there are not so many left. */
  grow(units: number): void {
    if (units > 0 && !this.take(STEPS_FOR_GROWTH * units))
      throw new UnsupportedError(
        `a tokenizer.json that makes more than ${(STEPS_FOR_A_UNIT / STEPS_FOR_GROWTH) * (this.#units + UNITS_MORE)} characters of ${this.#units}`,
        ["stages that make a text a few times longer"],
      );
  }
}

/** Checks that a stage has not too many stages in it. @throws {UnsupportedError} when it has. */
export function checkStageCount(part: string, stage: unknown): void {
  let left = MOST_STAGES;
  const count = (of: unknown): void => {
    if (typeof of !== "object" || of === null) return;
    if (--left < 0)
      throw new UnsupportedError(`the ${part} of tokenizer.json with more than ${MOST_STAGES} stages`, [
        "fewer stages",
      ]);
    for (const list of STAGE_LISTS) {
      const inner = (of as Record<string, unknown>)[list];
      if (Array.isArray(inner)) for (const one of inner) count(one);
    }
  };
  count(stage);
}

/** Where a `Sequence` lists its stages. */
const STAGE_LISTS = ["normalizers", "pretokenizers", "processors", "decoders"] as const;
