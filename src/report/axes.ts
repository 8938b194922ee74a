// Axes: domains that end where the quantity ends, and tick labels with as many decimals as tell them apart.
import { decimal, isShare, metricWord, percent } from "./format.ts";

/** Steps between ticks, about. */
const TICKS = 6;

/** Ends of a domain. */
export type Domain = readonly [least: number, most: number];

/** What a metric can be: shares in [0, 1], correlations in [−1, 1]; null where there is no bound. */
export function metricBounds(metric: string): Domain | null {
  if (isShare(metric)) return [0, 1];
  return /matthews|pearson|spearman/i.test(metric) ? [-1, 1] : null;
}

/** A domain around `values` that ends on round numbers and nowhere outside `bounds`. */
export function niceDomain(values: readonly number[], bounds: Domain | null, { zero = false } = {}): [number, number] {
  const known = values.filter(Number.isFinite);
  const all = zero || known.length === 0 ? [...known, 0] : known;
  const [least, most] = [Math.min(...all), Math.max(...all)];
  // closer values than labels can tell apart count as equal
  const isFlat = most - least <= (bounds === null ? 1e-9 * Math.abs(most) : 0.001);
  const room = isFlat ? Math.max(Math.abs(most) * 0.1, 0.01) : 0;
  const step = niceStep((most - least + 2 * room) / TICKS);
  const [low, high] = [Math.floor((least - room) / step) * step, Math.ceil((most + room) / step) * step];
  const [lowest, highest] = bounds ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const bottom = zero && least >= 0 ? 0 : Math.max(lowest, low);
  return [clean(bottom, step), clean(Math.min(highest, high), step)];
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((of) => of * power >= rough * (1 - 1e-9))!;
  return factor * power;
}

const clean = (value: number, step: number) => Number(value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(step)))));

/** Round numbers inside a domain, about `count` of them; its ends too where they are round. */
export function niceTicks([least, most]: Domain, count = TICKS): number[] {
  const step = niceStep((most - least) / count);
  const first = Math.ceil(least / step - 1e-9);
  const length = Math.floor(most / step + 1e-9) - first + 1;
  return Array.from({ length }, (_, i) => clean((first + i) * step, step));
}

/** Ticks of shares, as percentages with the decimals that all of them need. */
export function percentTicks(ticks: readonly number[]) {
  const digits = digitsOf(ticks.map((tick) => 100 * tick));
  return { ticks: [...ticks], tickFormat: (value: number) => percent(value, digits) };
}

/** Ticks as plain numbers with the decimals that all of them need. */
export function decimalTicks(ticks: readonly number[]) {
  const digits = digitsOf(ticks);
  return { ticks: [...ticks], tickFormat: (value: number) => decimal(value, digits) };
}

function digitsOf(values: readonly number[]): number {
  const isExact = (digits: number) => values.every((value) => Math.abs(value - Number(value.toFixed(digits))) < 1e-6);
  return [0, 1, 2, 3, 4].find(isExact) ?? 5;
}

/** The axis of a metric over `values`: no tick beyond what the metric can be. */
export function metricAxis(metric: string, values: readonly number[]) {
  const domain = niceDomain(values, metricBounds(metric));
  const ticks = niceTicks(domain);
  return { label: metricWord(metric), domain, ...(isShare(metric) ? percentTicks(ticks) : decimalTicks(ticks)) };
}

/** The axis of a density over `values`, from 0. */
export function densityAxis(values: readonly number[], label = "density") {
  return { label, ...shareAxis(niceDomain(values, [0, 1], { zero: true })) };
}

/** Domain and ticks of a share, 0 to 100 % unless told otherwise. */
export function shareAxis(domain: Domain = [0, 1], count = TICKS) {
  return { domain: [...domain], ...percentTicks(niceTicks(domain, count)) };
}

/** Domain and ticks of a quantity that starts at 0 and has no bound. */
export function amountAxis(values: readonly number[], format?: (value: number) => string) {
  const domain = niceDomain(values, null, { zero: true });
  const ticks = niceTicks(domain);
  return { domain, ...(format === undefined ? decimalTicks(ticks) : { ticks, tickFormat: format }) };
}

/** Steps from 0 to `last`; ticks at whole steps. */
export function stepAxis(last: number) {
  const domain: Domain = [0, Math.max(1, last)];
  return { label: "step", domain: [...domain], ticks: niceTicks(domain).filter(Number.isInteger), tickFormat: String };
}

/** Layers by number, at most a dozen of them labelled. */
export function layerAxis(layers: readonly number[]) {
  const every = Math.ceil(layers.length / 12);
  return { label: "layer", ticks: layers.filter((_, at) => at % every === 0), tickFormat: String };
}
