import { expect, test } from "vitest";
import { sampleEvents } from "../../test/support/records.ts";
import { maskedCrc32c, tensorBoardFileName, tensorBoardHeader, tensorBoardRecords } from "./tensorboard.ts";

const start = sampleEvents()[0]!;

test("the checksum is CRC-32C, masked", () => {
  // 0xe3069283 is the check value of CRC-32C for "123456789" (RFC 3720's polynomial)
  const masked = (((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0;
  expect(maskedCrc32c(new TextEncoder().encode("123456789"))).toBe(masked);
});

// written by tensorboard's own RecordWriter: Event(1.5, file_version) and Event(2.0, step=300, session_log.status=START)
const GOLDEN =
  "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c100000000000000095fbfe1809000000000000004010ac023a0208011292da01";

test("header and session start are byte for byte what TensorBoard's own writer makes", () => {
  const resumed = tensorBoardRecords({ ...start, type: "start", time: 2000, fromStep: 299 } as typeof start);
  expect(Buffer.concat([tensorBoardHeader(1500), resumed]).toString("hex")).toBe(GOLDEN);
});

test("a fresh start and events without numbers write nothing", () => {
  expect(tensorBoardRecords(start)).toHaveLength(0);
  expect(tensorBoardRecords(sampleEvents().at(-1)!)).toHaveLength(0);
  expect(tensorBoardFileName(1_700_000_000_999)).toBe("events.out.tfevents.1700000000.deft");
});
