// TensorBoard event files: TFRecord framing around `Event` messages that hold scalars.

import { densityBy, headlineDefinition } from "../density/index.ts";
import type { TrainEvent } from "../train/index.ts";

/** The bytes of an event file's first record: its format version. */
export function tensorBoardHeader(timeMs: number): Uint8Array {
  return record(concat([double(1, timeMs / 1000), bytesField(3, UTF8.encode("brain.Event:2"))]));
}

/** The records of one training event; nothing for those without numbers. */
export function tensorBoardRecords(event: TrainEvent): Uint8Array {
  if (event.type === "start") {
    // a SessionLog START drops what an interrupted process wrote from its step on
    return event.fromStep === 0 ? new Uint8Array() : record(message(event.time, event.fromStep + 1, sessionStart()));
  }
  const values = scalars(event);
  if (values.length === 0) return new Uint8Array();
  const summary = concat(values.map(([tag, value]) => bytesField(1, scalar(tag, value))));
  return record(message(event.time, "step" in event ? event.step : 0, bytesField(5, summary)));
}

/** The file name TensorBoard looks for: `events.out.tfevents.<seconds>.deft`. */
export function tensorBoardFileName(timeMs: number): string {
  return `events.out.tfevents.${Math.floor(timeMs / 1000)}.deft`;
}

function scalars(event: TrainEvent): [tag: string, value: number][] {
  if (event.type === "step") {
    return [
      ["train/loss", event.loss],
      ["train/task_loss", event.taskLoss],
      ["train/density_loss", event.densityLoss],
      ["train/density_weight", event.densityWeight],
      ["train/epsilon", event.epsilon],
      ["train/learning_rate", event.learningRate],
      ["train/grad_norm", event.gradNorm],
      ["train/tokens_per_second", event.tokensPerSecond],
      ["train/rss_bytes", event.rssBytes],
      ["train/epoch", event.epoch],
      ...(event.keptShare === undefined ? [] : [["train/kept_share", event.keptShare] satisfies [string, number]]),
      ...(event.lossExcess === undefined ? [] : [["train/loss_excess", event.lossExcess] satisfies [string, number]]),
      ...(event.density === undefined ? [] : [["train/density", event.density] satisfies [string, number]]),
      ...(event.gates ?? []).map((gate, i): [string, number] => [`gates/${i}`, gate]),
    ];
  }
  if (event.type !== "eval") return [];
  const { encoder, layers } = event.density;
  const headline = headlineDefinition(event.density);
  return [
    ["eval/loss", event.loss],
    ...Object.entries(event.metrics).map(([name, value]): [string, number] => [`eval/${name}`, value]),
    ["density/paper", encoder.paper],
    ["density/exact", encoder.exact],
    ...Object.entries(encoder.thresholds).map(([tau, value]): [string, number] => [`density/above_${tau}`, value]),
    ["density/dead_neurons", encoder.deadNeurons],
    ...layers.map((layer): [string, number] => [
      `density_layers/${layer.stack}_${layer.layer}`,
      densityBy(layer, headline),
    ]),
  ];
}

const UTF8 = new TextEncoder();

// Event: 1 wall_time (double), 2 step (int64), 5 summary, 7 session_log
function message(timeMs: number, step: number, what: Uint8Array): Uint8Array {
  return concat([double(1, timeMs / 1000), varintField(2, step), what]);
}

// Summary.Value: 1 tag, 2 simple_value (float)
function scalar(tag: string, value: number): Uint8Array {
  return concat([bytesField(1, UTF8.encode(tag)), float(2, value)]);
}

// SessionLog: 1 status, START = 1
function sessionStart(): Uint8Array {
  return bytesField(7, varintField(1, 1));
}

/** TFRecord: length (u64), its masked CRC, the data, its masked CRC; little-endian. */
function record(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli), rotated and offset as TFRecord asks (tensorflow/core/lib/hash/crc32c.h). */
export function maskedCrc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return [...out, value];
}

function varintField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

function bytesField(field: number, data: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([...varint(field * 8 + 2), ...varint(data.length)]), data]);
}

function double(field: number, value: number): Uint8Array {
  const out = new Uint8Array(9);
  out[0] = field * 8 + 1;
  new DataView(out.buffer).setFloat64(1, value, true);
  return out;
}

function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = field * 8 + 5;
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
