"""PyTorch's side of `deft bench`: the same protocol as src/cli/bench-worker.ts, a JSON line in, a JSON line out."""

import json
import resource
import sys
import time

job = json.loads(sys.argv[1])
started = time.perf_counter()
try:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification
except ImportError:
    print(json.dumps({"absent": True}), flush=True)
    sys.exit()

torch.set_num_threads(job["threads"])
torch.set_num_interop_threads(1)
writing = job["writing"]
kind = AutoModelForSequenceClassification if writing is None else AutoModelForSeq2SeqLM
model = kind.from_pretrained(job["path"], dtype=torch.float32, attn_implementation="sdpa").eval()
print(json.dumps({"loadMs": (time.perf_counter() - started) * 1000}), flush=True)


def moment():
    """Now on the day's clock and on that of the processors, which counts all threads."""
    return time.perf_counter(), time.process_time()


def between(start, end, steps=1):
    ms, processor_ms = ((after - before) * 1000 / steps for before, after in zip(start, end))
    return {"ms": ms, "processorMs": processor_ms}


def read(ids, mask, types):
    began = moment()
    model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    return {"encode": between(began, moment())}


def write(ids, mask, _):
    """Whole texts of a fixed length: when the text was read, when each token was begun."""
    read_at, steps = [], []
    hooks = [
        model.get_encoder().register_forward_hook(lambda *_: read_at.append(moment())),
        model.get_decoder().register_forward_pre_hook(lambda *_: steps.append(moment())),
    ]
    count = writing["newTokens"]
    options = {"min_new_tokens": count, "max_new_tokens": count, "do_sample": False, "num_beams": 1}
    began = moment()
    model.generate(input_ids=ids, attention_mask=mask, **options)
    ended = moment()
    for hook in hooks:
        hook.remove()
    decode = between(steps[1], ended, len(steps) - 1)
    return {"encode": between(began, read_at[0]), "decode": decode, "generate": between(began, ended)}


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
    with torch.inference_mode():
        times = (read if writing is None else write)(ids, mask, types)
    print(json.dumps({"times": times}), flush=True)
