// Rows and columns of host matrices, row-major.

/** The rows `kept` of `[rows, width]`. */
export function keepRows(data: Float32Array, width: number, kept: readonly number[]): Float32Array {
  const out = new Float32Array(kept.length * width);
  kept.forEach((row, i) => {
    out.set(data.subarray(row * width, (row + 1) * width), i * width);
  });
  return out;
}

/** The columns `kept` of `[rows, width]`, times `scale`. */
export function keepColumns(data: Float32Array, width: number, kept: readonly number[], scale = 1): Float32Array {
  const rows = width === 0 ? 0 : data.length / width;
  const out = new Float32Array(rows * kept.length);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < kept.length; i++) out[row * kept.length + i] = data[row * width + kept[i]!]! * scale;
  return out;
}
