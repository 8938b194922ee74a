// What predicted pre-activations say of activations, counted over the steps of a calibration: how low a floor must lie to find the active neurons.

import { magnitudeBin } from "./magnitudes.ts";

const BINS_PER_OCTAVE = 32;
const [LEAST_LOG2, MOST_LOG2] = [-12, 10];
/** Of each sign; those of negative numbers come first, then one for what is nearly 0. */
const SIDE = (MOST_LOG2 - LEAST_LOG2) * BINS_PER_OCTAVE;
const BINS = 2 * SIDE + 1;

/** Where to cut predictions off, and what that finds and reads. */
export interface Floor {
  readonly floor: number;
  /** Share of the active neurons that lie above. */
  readonly recall: number;
  /** Mean share of neurons that lie above for one of a step's tokens or more. */
  readonly selected: number;
}

/** Predictions of one MLP beside its activations. */
export class Predictions {
  /** Of activations by magnitude, how many had which prediction; zeros are in none. */
  readonly #active = new Map<number, Float64Array>();
  /** Of each neuron and step the highest prediction. */
  readonly #highest = new Float64Array(BINS);
  #total = 0;

  /** Adds a step: predictions and activations `[tokens, neurons]`. */
  add(predicted: Float32Array, activations: Float32Array, neurons: number): void {
    for (let f = 0; f < neurons; f++) {
      let highest = Number.NEGATIVE_INFINITY;
      for (let at = f; at < activations.length; at += neurons) {
        const prediction = predicted[at]!;
        if (prediction > highest) highest = prediction;
        if (activations[at] !== 0) this.#count(Math.abs(activations[at]!), prediction);
      }
      this.#highest[bin(highest)]!++;
    }
    this.#total += neurons;
  }

  #count(magnitude: number, prediction: number): void {
    const key = magnitudeBin(magnitude);
    const counts = this.#active.get(key) ?? new Float64Array(BINS);
    this.#active.set(key, counts);
    counts[bin(prediction)]!++;
  }

  /** The highest floor that finds this share of the activations above `threshold`; all of them are above the lowest one. */
  floor(threshold: number, recall: number): Floor {
    // an activation is above a threshold when its bin is: the threshold is the upper edge of its own
    const least = threshold === 0 ? Number.NEGATIVE_INFINITY : magnitudeBin(threshold);
    const counts = new Float64Array(BINS);
    for (const [key, of] of this.#active) if (key > least) for (let i = 0; i < BINS; i++) counts[i]! += of[i]!;
    const active = counts.reduce((sum, count) => sum + count, 0);
    let [found, read, i] = [0, 0, BINS];
    while (i > 0 && found < recall * active) {
      i--;
      found += counts[i]!;
      read += this.#highest[i]!;
    }
    return {
      floor: lowerEdge(i),
      recall: active === 0 ? 1 : found / active,
      selected: this.#total === 0 ? 0 : read / this.#total,
    };
  }
}

function bin(value: number): number {
  if (Number.isNaN(value)) return BINS - 1;
  const at = Math.floor((Math.log2(Math.abs(value)) - LEAST_LOG2) * BINS_PER_OCTAVE);
  if (at < 0) return SIDE;
  const place = Math.min(SIDE - 1, at);
  return value > 0 ? SIDE + 1 + place : SIDE - 1 - place;
}

/** Of the numbers of a bin the least; one bin higher than all there are is an end that nothing exceeds. */
function lowerEdge(at: number): number {
  const edge = (place: number) => 2 ** (LEAST_LOG2 + place / BINS_PER_OCTAVE);
  if (at > SIDE) return Math.fround(edge(at - SIDE - 1));
  if (at === SIDE) return -edge(0);
  // of the outermost there is no least
  return at === 0 ? -(2 ** 100) : Math.fround(-edge(SIDE - at));
}
