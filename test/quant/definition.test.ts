// NF4, its nested scales, int8 and int4 against their definitions, bit for bit.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors } from "../../src/hub/index.ts";
import { int4Codes, int4Values, int8Codes, int8Values } from "../../src/quant/integer.ts";
import { NESTED_LEVELS, nestScales, unnestScales } from "../../src/quant/nested.ts";
import { nf4Codes, nf4Scales, nf4Values } from "../../src/quant/nf4.ts";
import { randomStream, type TypedArray } from "../../src/tensor/index.ts";
import { describeWithPython } from "../support/python.ts";

const GOLDEN = fileURLToPath(new URL("../golden/quant/quant.safetensors", import.meta.url));
const golden = await openSafetensors(nodeFiles(), GOLDEN);
const stored = async <T extends TypedArray>(name: string): Promise<T> => (await golden.get(name)!.read()).data as T;
/** Bits, so that −0 is not 0 and one rounding shows. */
const bits = ({ buffer, byteOffset, byteLength }: TypedArray) =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

describe("the stored definition, checked by bitsandbytes when it was written", () => {
  test("NF4 codes, scales and numbers", async () => {
    const values = await stored<Float32Array>("values");
    const scales = nf4Scales(values);
    const codes = nf4Codes(values, scales);
    expect(bits(scales)).toEqual(bits(await stored("absmax")));
    expect(bits(codes)).toEqual(bits(await stored("codes")));
    expect(bits(nf4Values(codes, scales, values.length))).toEqual(bits(await stored("restored")));
  });

  test("nested scales: levels, codes, their scales, the offset and the numbers", async () => {
    expect(bits(NESTED_LEVELS)).toEqual(bits(await stored("levels")));
    const nested = nestScales(await stored<Float32Array>("nested/scales"));
    expect(bits(nested.codes)).toEqual(bits(await stored("nested/codes")));
    expect(bits(nested.absmax)).toEqual(bits(await stored("nested/absmax")));
    expect(nested.offset).toBe((await stored("nested/offset"))[0]);
    expect(bits(unnestScales(nested))).toEqual(bits(await stored("nested/restored")));
  });

  test("int8 by rows and int4 by blocks", async () => {
    const matrix = await stored<Float32Array>("matrix");
    const whole = int8Codes(matrix, 5);
    expect(bits(whole.codes)).toEqual(bits(await stored("int8/codes")));
    expect(bits(whole.scales)).toEqual(bits(await stored("int8/scales")));
    expect(bits(int8Values(whole))).toEqual(bits(await stored("int8/restored")));
    const blocks = int4Codes(matrix, 5);
    expect(bits(blocks.codes)).toEqual(bits(await stored("int4/codes")));
    expect(bits(blocks.scales)).toEqual(bits(await stored("int4/scales")));
    expect(bits(int4Values(blocks, 5, 100))).toEqual(bits(await stored("int4/restored")));
  });
});

const ROW = 65_536;
const ROWS = 160;

describeWithPython("ten million numbers through Python", (python) => {
  test("NF4 codes and scales are the same bits", { timeout: 5 * 60_000 }, async () => {
    const child = spawn(python, ["scripts/golden/quant.py", "codes"], { stdio: ["pipe", "pipe", "inherit"] });
    const answers = pieces(child, ROW / 2 + (ROW / 64) * 4);
    const wrong: string[] = [];
    for (let row = 0; row < ROWS; row++) {
      const values = drawn(row);
      child.stdin!.write(bits(values));
      const answer = (await answers.next()).value;
      const scales = nf4Scales(values);
      const ours = Buffer.concat([bits(nf4Codes(values, scales)), bits(scales)]);
      const at = ours.findIndex((byte, i) => byte !== answer?.[i]);
      if (at >= 0) wrong.push(`row ${row}, byte ${at}: expected ${answer?.[at]}, got ${ours[at]}`);
    }
    child.stdin!.end();
    await answers.return(undefined);
    expect(ROW * ROWS).toBeGreaterThan(1e7);
    expect(wrong).toEqual([]);
  });
});

const random = randomStream(7, "nf4");
// drawn once and read at other places each time: drawing ten million normals takes longer than quantising them
const POOL = 131_101;
const normals = Float64Array.from({ length: POOL }, () => random.normal());
const uniforms = Float64Array.from({ length: POOL }, () => random.uniform());
const LEVELS = nf4Values(Uint8Array.of(0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef), Float32Array.of(1), 16);
const MIDPOINTS = LEVELS.slice(0, 15).map((level, i) => Math.fround(level + LEVELS[i + 1]!) / 2);

/** A row of one kind: weights of one size, of sizes far apart, any bits of a float32, sparse, ties, denormals. */
function drawn(row: number): Float32Array {
  const values = new Float32Array(ROW);
  const draw = DRAWS[row % DRAWS.length]!;
  const offset = random.integer(POOL);
  const size = 10 ** (random.uniform() * 80 - 44);
  for (let i = 0; i < ROW; i++) {
    values[i] = draw(i, normals[(offset + i) % POOL]!, uniforms[(offset + 7 * i) % POOL]!, size);
  }
  return values;
}

const raw = new DataView(new ArrayBuffer(4));
const DRAWS: readonly ((i: number, normal: number, uniform: number, size: number) => number)[] = [
  (_, normal) => normal * 0.02,
  (_, normal, __, size) => normal * Math.min(size, 1e37),
  (_, normal, uniform) => normal * 10 ** (uniform * 70 - 38),
  (_, __, uniform) => {
    raw.setUint32(0, uniform * 2 ** 32);
    const value = raw.getFloat32(0);
    return Number.isFinite(value) ? value : 0;
  },
  (i, normal, _, size) => (i % 64 === 17 ? normal * Math.min(size, 1e37) : 0),
  (i, normal, uniform) => (uniform < 0.02 ? normal : i % 3 === 0 ? -0 : 0),
  // the largest of each block is 4, so that midpoints survive the scaling exactly; and their neighbours
  (i, _, uniform) => {
    if (i % 64 === 0) return 4;
    const which = Math.floor(uniform * 45);
    return 4 * Math.fround(MIDPOINTS[which % 15]! * (1 + (Math.floor(which / 15) - 1) * 2 ** -23));
  },
  (_, normal) => normal * 1e-40,
];

/** The child's output in pieces of `size` bytes. */
async function* pieces(child: ChildProcess, size: number): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of child.stdout!) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (; rest.length >= size; rest = rest.subarray(size)) yield rest.subarray(0, size);
  }
}
