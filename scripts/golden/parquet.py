"""Writes test/golden/data/*.parquet: 300 rows in three row groups, int64 labels, with Snappy and with Zstandard; and
features.parquet: int64 in lists and records, class names as Hugging Face's datasets 5.2 writes them, a date, NaN in a float column.

Run: python scripts/golden/parquet.py   (pyarrow 26.0.1)
"""
import datetime
import json
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

nested = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
features = {
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["terrible", "great", "fair"], "_type": "ClassLabel"},
    "tags": {"feature": {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}, "_type": "List"},
}
table = pa.table({
    "text": pa.array(["one", "two", "three", "four"], pa.string()),
    "label": pa.array([1, 0, 2, -1], pa.int64()),
    "tags": pa.array([[0, 1], [2], [], None], pa.list_(pa.int64())),
    "answers": pa.array([{"text": ["o"], "answer_start": [0]}] * 4, nested),
    "big": pa.array([2**53, 2**53 + 1, -1, 0], pa.int64()),
    "day": pa.array([datetime.date(2024, 2, 29)] * 4, pa.date32()),
    "score": pa.array([0.0, 1.0, float("nan"), 2.5], pa.float64()),
}).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
pq.write_table(table, os.path.join(OUT, "features.parquet"))
