"""Writes test/golden/data/*.parquet: 300 rows in three row groups, int64 labels, with Snappy and with Zstandard.

Run: python scripts/golden/parquet.py   (pyarrow 26.0.1)
"""
import os

import pyarrow as pa
import pyarrow.parquet as pq

OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "test", "golden", "data")
os.makedirs(OUT, exist_ok=True)
table = pa.table({
    "idx": pa.array(range(300), pa.int64()),
    "sentence": pa.array([f"sentence {i % 40} é 中 😀" for i in range(300)], pa.string()),
    "label": pa.array([(i * 7) % 2 for i in range(300)], pa.int64()),
    "score": pa.array([i / 64 for i in range(300)], pa.float64()),
})
for codec in ("snappy", "zstd"):
    pq.write_table(table, os.path.join(OUT, f"{codec}.parquet"), compression=codec, row_group_size=128)
