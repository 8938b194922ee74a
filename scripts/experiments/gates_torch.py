"""What gates could be instead, on MiniLM: one run in PyTorch, one JSON line with its score and Kendall's tau of each estimate.

    gates_torch.py --model DIR --data SST-2 --gates KIND [--steps 100] [--seed 1]

KIND: `none` and `centre` change nothing and read the gradient (of the output, of its distance from its mean); `sampled` and `sampledmean`
multiply some examples' outputs by a uniform factor, towards 0 or the mean; `sigmoid` trains factors at a price by AdamW, `sgd` by
normalised gradient steps, `hc` are hard-concrete gates with a budget of 60 %. LoRA, r 8 on all linear layers.
"""

import argparse
import csv
import itertools
import json
import math
import random

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

logging.set_verbosity_error()
parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--gates", default="none")
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--held", type=int, default=600)
o = parser.parse_args()
torch.set_num_threads(1)
torch.manual_seed(o.seed)
model = AutoModelForSequenceClassification.from_pretrained(o.model, num_labels=2)
tokenizer = AutoTokenizer.from_pretrained(o.model)
layers = model.bert.encoder.layer
L = len(layers)
BATCH, STRETCH, TEMPERATURE, BUDGET = 16, 0.1, 2 / 3, 0.6


class Lora(nn.Module):
    def __init__(self, base, rank=8, alpha=16):
        super().__init__()
        self.base, self.scale, self.dropout = base, alpha / rank, nn.Dropout(0.1)
        self.a = nn.Parameter(torch.empty(rank, base.in_features))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x):
        return self.base(x) + self.dropout(x) @ self.a.T @ self.b.T * self.scale


for p in model.parameters():
    p.requires_grad_(False)
for p in model.classifier.parameters():
    p.requires_grad_(True)
for layer in layers:
    attention = layer.attention
    for parent, name in [(attention.self, "query"), (attention.self, "key"), (attention.self, "value"), (attention.output, "dense"), (layer.intermediate, "dense"), (layer.output, "dense")]:
        setattr(parent, name, Lora(getattr(parent, name)))

trains_gates = o.gates in ("sigmoid", "sgd", "hc")
theta = nn.Parameter(torch.full((L,), 2.5 if o.gates == "hc" else 4.0)) if trains_gates else None


class State:
    """What the layers share: the batch's mask, the factors of each layer, and what is removed."""

    mask = None
    factors = [None] * L
    perturbed = [None] * L
    removed = None
    stand_in = [torch.zeros(())] * L
    sums = None


def attended_mean(h):
    m = State.mask.unsqueeze(-1).float()
    return (h * m).sum((0, 1)) / m.sum()


def final_gates():
    s = torch.sigmoid(theta.detach())
    return (s * (1 + 2 * STRETCH) - STRETCH).clamp(0, 1) if o.gates == "hc" else s


class Output(nn.Module):
    def __init__(self, base, index):
        super().__init__()
        self.base, self.index = base, index

    def forward(self, hidden, x):
        h = self.base.dropout(self.base.dense(hidden))
        return self.base.LayerNorm((self.scaled(h) if self.training else self.cut(h)) + x)

    def cut(self, h):
        if State.sums is not None:
            m = State.mask.unsqueeze(-1).float()
            State.sums[self.index] += torch.cat([(h * m).sum((0, 1)), m.sum().view(1)])
        if trains_gates:
            h = h * final_gates()[self.index]
        return State.stand_in[self.index].expand_as(h) if self.index == State.removed else h

    def scaled(self, h):
        i, examples = self.index, len(h)
        if o.gates in ("sigmoid", "sgd"):
            return h * torch.sigmoid(theta[i])
        if o.gates == "hc":
            u = torch.rand(()).clamp(1e-6, 1 - 1e-6)
            s = torch.sigmoid((torch.log(u) - torch.log(1 - u) + theta[i]) / TEMPERATURE)
            return h * (s * (1 + 2 * STRETCH) - STRETCH).clamp(0, 1)
        chosen = (torch.rand(examples) < 1 / L).float() if o.gates.startswith("sampled") else torch.zeros(examples)
        factor = (1 - chosen + chosen * torch.rand(examples)).requires_grad_(True)
        State.factors[i], State.perturbed[i] = factor, chosen
        centre = attended_mean(h).detach() if o.gates in ("centre", "sampledmean") else 0
        return centre + (h - centre) * factor[:, None, None]


for i, layer in enumerate(layers):
    layer.output = Output(layer.output, i)


def rows_of(split):
    with open(f"{o.data}/{split}.tsv", newline="") as f:
        return [(r["sentence"], int(r["label"])) for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]


def encoded(rows):
    return list(zip(tokenizer([t for t, _ in rows], truncation=True, max_length=128)["input_ids"], [y for _, y in rows], strict=True))


def collated(items):
    longest = max(len(i) for i, _ in items)
    ids = torch.zeros(len(items), longest, dtype=torch.long)
    for row, (i, _) in enumerate(items):
        ids[row, : len(i)] = torch.tensor(i)
    State.mask = (ids != 0).long()
    return ids, torch.tensor([y for _, y in items])


every = rows_of("train")
random.Random(0).shuffle(every)
held = encoded(every[:2000])
rest = every[3000:]
random.Random(o.seed).shuffle(rest)
train = encoded(rest[: o.steps * BATCH])

groups = [{"params": [p for p in model.parameters() if p.requires_grad], "lr": 1e-3}]
if o.gates in ("sigmoid", "hc"):
    groups.append({"params": [theta], "lr": 0.05})
optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1, (t + 1) / (0.06 * o.steps)) * (1 - t / o.steps))
model.train()
noted = []
for step in range(o.steps):
    ids, labels = collated(train[step * BATCH : (step + 1) * BATCH])
    loss = nn.functional.cross_entropy(model(input_ids=ids, attention_mask=State.mask).logits, labels)
    if o.gates == "sigmoid":
        loss = loss + 0.1 * torch.sigmoid(theta).mean()
    if o.gates == "hc":
        open_share = torch.sigmoid(theta - TEMPERATURE * math.log(STRETCH / (1 + STRETCH))).mean()
        loss = loss + 10 * (open_share - BUDGET).clamp(min=0) ** 2
    loss.backward()
    if State.factors[0] is not None:
        gradients = torch.stack([f.grad for f in State.factors]) * len(labels)
        noted.append((gradients, torch.stack(State.perturbed)))
    if o.gates == "sgd":
        with torch.no_grad():
            theta -= 0.5 * (1 - step / o.steps) * theta.grad / (theta.grad.norm() + 1e-12)
            theta.grad = None
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
model.eval()


@torch.inference_mode()
def logits(data, removed=None):
    State.removed = removed
    order = sorted(range(len(data)), key=lambda i: len(data[i][0]))
    result = torch.zeros(len(data), 2)
    for at in range(0, len(data), 64):
        ids, _ = collated([data[i] for i in order[at : at + 64]])
        result[order[at : at + 64]] = model(input_ids=ids, attention_mask=State.mask).logits
    return result


def judged(z, data):
    y = torch.tensor([y for _, y in data])
    return (z.argmax(-1) == y).float().mean().item(), nn.functional.cross_entropy(z, y).item()


def tau(a, b):
    signs = [((a[i] - a[j]) * (b[i] - b[j]) > 0) - ((a[i] - a[j]) * (b[i] - b[j]) < 0) for i, j in itertools.combinations(range(L), 2)]
    return sum(signs) / len(signs)


State.sums = torch.zeros(L, model.config.hidden_size + 1)
logits(train[:512])
means = [s[:-1] / s[-1] for s in State.sums]
State.sums = None
some = held[: o.held]
whole = logits(some)
ablation = {}
for way, stand_ins in (("mean", means), ("zero", [torch.zeros(())] * L)):
    State.stand_in = stand_ins
    without = [logits(some, removed) for removed in range(L)]
    ablation[f"{way}, distance"] = [(z - whole).pow(2).mean().item() for z in without]
    ablation[f"{way}, loss"] = [judged(z, some)[1] - judged(whole, some)[1] for z in without]
estimates = {}
if noted:
    d, chosen = (torch.stack(parts) for parts in zip(*noted, strict=True))
    weight = (torch.arange(len(d)) + 1.0)[:, None, None]
    for name, of in (("at 1", 1 - chosen), ("on the way", chosen)):
        count = (of * weight).sum((0, 2))
        if count.min() > 0:
            for kind, value in (("mean", -d), ("magnitude", d.abs()), ("square", d * d)):
                estimates[f"{kind} {name}"] = ((value * of * weight).sum((0, 2)) / count).tolist()
if trains_gates:
    estimates["gate"] = final_gates().tolist()
score, loss = judged(logits(held), held)
taus = {name: {way: round(tau(values, measured), 2) for way, measured in ablation.items()} for name, values in estimates.items()}
print(json.dumps({"gates": o.gates, "steps": o.steps, "seed": o.seed, "score": score, "loss": loss, "ablation": ablation, "estimates": estimates, "tau": taus}), flush=True)
