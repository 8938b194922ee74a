"""PyTorch's side of `deft bench`: the same protocol as src/cli/bench-worker.ts, a JSON line in, a JSON line out."""

import json
import resource
import sys
import time

job = json.loads(sys.argv[1])
started = time.perf_counter()
try:
    import torch
    from transformers import AutoModelForSequenceClassification
except ImportError:
    print(json.dumps({"absent": True}), flush=True)
    sys.exit()

torch.set_num_threads(job["threads"])
torch.set_num_interop_threads(1)
model = AutoModelForSequenceClassification.from_pretrained(job["path"], dtype=torch.float32).eval()
print(json.dumps({"loadMs": (time.perf_counter() - started) * 1000}), flush=True)

for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "memory":
        print(json.dumps({"peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
        continue
    rows, segments = request["batch"]["ids"], request["batch"]["segments"]
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), request["batch"]["padId"])
    mask = torch.zeros_like(ids)
    types = torch.zeros_like(ids)
    for r, row in enumerate(rows):
        ids[r, : len(row)] = torch.tensor(row)
        mask[r, : len(row)] = 1
        types[r, segments[r] : len(row)] = 1
    began = time.perf_counter()
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    print(json.dumps({"ms": (time.perf_counter() - began) * 1000}), flush=True)
