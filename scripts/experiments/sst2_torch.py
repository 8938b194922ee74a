"""The PyTorch side of the SST-2 experiment: one run, one JSON line.

    sst2_torch.py --model DIR --data SST-2 --method lora|adapter --weight W --seed N

Same recipe as `deft train`: AdamW (decay 0.01, none on biases and layer norms), linear schedule with 6 % warm-up,
density weight warmed up over 25 % of the steps, epsilon annealed geometrically, attended positions, longest padding.
"""
import argparse
import csv
import json
import math
import random
import time

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup, logging

logging.set_verbosity_error()
parser = argparse.ArgumentParser()
for name, kind, default in [("model", str, None), ("data", str, None), ("method", str, "lora"), ("weight", float, 0.0), ("seed", int, 1), ("train", int, 6400), ("epochs", int, 2), ("batch", int, 32), ("rate", float, 1e-3), ("from_epsilon", float, 1e-3), ("to_epsilon", float, 1e-4), ("threads", int, 1)]:
    parser.add_argument(f"--{name}", type=kind, default=default)
o = parser.parse_args()
torch.set_num_threads(o.threads)
torch.manual_seed(o.seed)


class Adapter(nn.Module):
    """BertOutput with AdapterHub's seq_bn: LN(x + h + U·relu(D·LN(x + h)))."""

    def __init__(self, base, size):
        super().__init__()
        self.base, self.adapter_down, self.adapter_up = base, nn.Linear(size, size // 16), nn.Linear(size // 16, size)
        for layer in (self.adapter_down, self.adapter_up):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden, x):
        h = self.base.dropout(self.base.dense(hidden))
        z = self.base.LayerNorm(x + h)
        return self.base.LayerNorm(x + h + self.adapter_up(torch.relu(self.adapter_down(z))))


model = AutoModelForSequenceClassification.from_pretrained(o.model, num_labels=2)
taps = []
for layer in model.bert.encoder.layer:
    layer.intermediate.register_forward_hook(lambda m, i, out: taps.append(out))
if o.method == "lora":
    model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, lora_dropout=0.1, target_modules="all-linear"))
else:
    for p in model.parameters():
        p.requires_grad_(False)
    for p in model.classifier.parameters():
        p.requires_grad_(True)
    for layer in model.bert.encoder.layer:
        layer.output = Adapter(layer.output, model.config.hidden_size)
trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
decay = [p for n, p in trained if not n.endswith(".bias")]
plain = [p for n, p in trained if n.endswith(".bias")]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=o.rate)

tokenizer = AutoTokenizer.from_pretrained(o.model)


def load(split, limit=None):
    with open(f"{o.data}/{split}.tsv", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))[:limit]
    ids = tokenizer([r["sentence"] for r in rows], truncation=True, max_length=128)["input_ids"]
    return [(i, int(r["label"])) for i, r in zip(ids, rows)]


def collate(items):
    longest = max(len(i) for i, _ in items)
    ids = torch.zeros(len(items), longest, dtype=torch.long)
    mask = torch.zeros(len(items), longest, dtype=torch.long)
    for row, (i, _) in enumerate(items):
        ids[row, : len(i)] = torch.tensor(i)
        mask[row, : len(i)] = 1
    return ids, mask, torch.tensor([label for _, label in items])


train, dev = load("train", o.train), load("dev")
steps = math.ceil(len(train) / o.batch) * o.epochs
schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(0.06 * steps), steps)
started = time.time()
step = 0
for epoch in range(o.epochs):
    order = list(range(len(train)))
    random.Random(o.seed * 1000 + epoch).shuffle(order)
    model.train()
    for at in range(0, len(order), o.batch):
        ids, mask, labels = collate([train[i] for i in order[at : at + o.batch]])
        taps.clear()
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        if o.weight > 0:
            epsilon = o.from_epsilon * (o.to_epsilon / o.from_epsilon) ** min(1, step / steps)
            weight = o.weight * min(1, (step + 1) / round(0.25 * steps))
            w = mask.unsqueeze(-1).float()
            loss = loss + weight * sum(((a * a) / (a * a + epsilon) * w).sum() / (w.sum() * a.shape[-1]) for a in taps) / len(taps)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        step += 1
seconds = time.time() - started
model.eval()
right, tokens = 0, 0
above = torch.zeros(len(model.base_model.model.bert.encoder.layer if o.method == "lora" else model.bert.encoder.layer))
exact = above.clone()
with torch.inference_mode():
    for at in range(0, len(dev), 64):
        ids, mask, labels = collate(dev[at : at + 64])
        taps.clear()
        logits = model(input_ids=ids, attention_mask=mask).logits
        right += (logits.argmax(-1) == labels).sum().item()
        tokens += mask.sum().item()
        for l, a in enumerate(taps):
            kept = a[mask.bool()]
            above[l] += (kept.abs() > 1e-2).sum()
            exact[l] += (kept != 0).sum()
share = lambda counts: (counts / (tokens * taps[0].shape[-1])).mean().item()
print(json.dumps({"method": o.method, "weight": o.weight, "seed": o.seed, "accuracy": right / len(dev), "density": share(above), "exact": share(exact), "layers": (above / (tokens * taps[0].shape[-1])).tolist(), "seconds": seconds}), flush=True)
