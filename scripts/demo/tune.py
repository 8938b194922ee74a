"""LoRA fine-tuning of the demo model with and without the density loss: the reference for the demo's default recipe.

usage: tune.py --model FOLDER --data FOLDER [--steps N --weight W --epsilon E0,E1 …]
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, BertForSequenceClassification

THRESHOLDS = (1e-4, 1e-3, 1e-2, 5e-2, 1e-1)


class Lora(nn.Module):
    """y + (x·Aᵀ·Bᵀ)·alpha/r over a frozen linear; with `bias` the linear's own bias is trained too."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float, bias: bool):
        super().__init__()
        self.base, self.scale, self.dropout = base, alpha / rank, nn.Dropout(dropout)
        self.a = nn.Parameter(torch.empty(rank, base.in_features))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        base.bias.requires_grad_(bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.dropout(x) @ self.a.T @ self.b.T * self.scale


def add_lora(model: nn.Module, options) -> None:
    """Freeze all but the classifier; wrap the targets (peft's suffix rule)."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("classifier"))
    for name, module in list(model.named_modules()):
        if not isinstance(module, nn.Linear) or name == "classifier":
            continue
        if any(name == target or name.endswith("." + target) for target in options.targets.split(",")):
            parent, _, leaf = name.rpartition(".")
            trained = options.bias == "lora_only" or (options.bias == "intermediate" and "intermediate" in name)
            setattr(model.get_submodule(parent), leaf, Lora(module, options.rank, options.alpha, options.dropout, trained))


def tap(model: BertForSequenceClassification) -> list[Tensor]:
    """A list that each forward pass fills with the MLP activations [B, S, F], layer by layer."""
    taken: list[Tensor] = []
    for layer in model.bert.encoder.layer:
        layer.intermediate.register_forward_hook(lambda module, given, out: taken.append(out))
    return taken


def batch_of(rows: list[dict], tokenizer, labels: list[str], length: int):
    inputs = tokenizer([row["text"] for row in rows], padding=True, truncation=True, max_length=length, return_tensors="pt")
    return inputs, torch.tensor([labels.index(row["label"]) for row in rows])


@torch.no_grad()
def evaluate(model, taken: list[Tensor], rows: list[dict], tokenizer, labels: list[str], length: int) -> dict:
    """Accuracy, loss, and per layer the share of |a| > τ over attended positions, dead and rare neurons."""
    model.eval()
    right, loss, tokens, above, active = 0, 0.0, 0, None, None
    for start in range(0, len(rows), 64):
        inputs, targets = batch_of(rows[start : start + 64], tokenizer, labels, length)
        taken.clear()
        logits = model(**inputs).logits
        right += (logits.argmax(-1) == targets).sum().item()
        loss += nn.functional.cross_entropy(logits, targets, reduction="sum").item()
        kept = inputs["attention_mask"].bool()
        tokens += kept.sum().item()
        sizes = torch.stack([torch.stack([(a[kept].abs() > t).float().mean(-1).sum() for t in THRESHOLDS]) for a in taken])
        counts = torch.stack([(a[kept].abs() > 1e-2).sum(0) for a in taken])
        above, active = (sizes, counts) if above is None else (above + sizes, active + counts)
    model.train()
    return {
        "accuracy": right / len(rows), "loss": loss / len(rows),
        "density": {str(t): round(value.item(), 4) for t, value in zip(THRESHOLDS, (above / tokens).mean(0), strict=True)},
        "layers_at_1e-2": [round(value.item(), 4) for value in (above / tokens)[:, 2]],
        "dead": int((active == 0).sum()), "rare": int((active < 0.01 * tokens).sum()), "neurons": active.numel(),
    }  # fmt: skip


def density_loss(taken: list[Tensor], mask: Tensor, epsilon: float, positions: str) -> Tensor:
    """Mean over layers of a²/(a² + ε), over attended or all positions."""
    total = torch.zeros(())
    for a in taken:
        square = (a[mask.bool()] if positions == "attended" else a).float().square()
        total = total + (square / (square + epsilon)).mean() / len(taken)
    return total


def at(step: int, steps: int, options) -> tuple[float, float]:
    """(weight, ε) at a step: linear warm-up of the weight, ε constant for `--hold` of the run and then geometric."""
    done = step / steps
    weight = options.weight * min(1.0, done / options.weight_warmup) if options.weight_warmup else options.weight
    first, last = (float(value) for value in options.epsilon.split(","))
    share = min(1.0, max(0.0, (done - options.hold) / max(1e-9, options.anneal - options.hold)))
    return weight, first * (last / first) ** share


def groups(model: nn.Module, options) -> list[dict]:
    """AdamW's groups: no decay on biases."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in trained if not name.endswith("bias")], "lr": options.rate, "weight_decay": 0.01},
        {"params": [p for name, p in trained if name.endswith("bias")], "lr": options.rate * options.bias_rate, "weight_decay": 0.0},
    ]  # fmt: skip


def run(options) -> dict:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    rows = {n: [json.loads(line) for line in (options.data / f"{n}.jsonl").open(encoding="utf-8")] for n in ("train", "dev")}
    labels = sorted({row["label"] for row in rows["train"]})
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = BertForSequenceClassification.from_pretrained(options.model, num_labels=len(labels), dtype=torch.float32)
    add_lora(model, options)
    taken = tap(model)
    optimizer = torch.optim.AdamW(groups(model, options))
    warmup = max(1, round(0.06 * options.steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, max(0.0, (options.steps - s) / (options.steps - warmup))))  # fmt: skip
    order, rng, begun = [], random.Random(options.seed), time.time()
    model.train()
    for step in range(options.steps):
        if len(order) < options.batch:
            order = rng.sample(rows["train"], len(rows["train"]))
        chosen, order = order[: options.batch], order[options.batch :]
        inputs, targets = batch_of(chosen, tokenizer, labels, options.length)
        weight, epsilon = at(step, options.steps, options)
        taken.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            logits = model(**inputs).logits
        loss = nn.functional.cross_entropy(logits.float(), targets)
        if weight:
            loss = loss + weight * density_loss(taken, inputs["attention_mask"], epsilon, options.positions)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        schedule.step()
    seconds = time.time() - begun
    return {**evaluate(model, taken, rows["dev"], tokenizer, labels, options.length), "seconds": round(seconds, 1)}


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser()
    result.add_argument("--model", type=Path, required=True)
    result.add_argument("--data", type=Path, required=True)
    result.add_argument("--targets", default="query,key,value,dense")
    for name, value in (("rank", 8), ("steps", 188), ("batch", 16), ("length", 48), ("seed", 1), ("threads", 1)):
        result.add_argument(f"--{name}", type=int, default=value)
    for name, value in (("alpha", 16), ("dropout", 0.1), ("rate", 1e-3), ("weight", 0), ("weight-warmup", 0.25),
                        ("hold", 0.0), ("anneal", 1.0), ("bias-rate", 1.0)):  # fmt: skip
        result.add_argument(f"--{name}", type=float, default=value)
    result.add_argument("--bf16", action="store_true", help="train with matrix products in bfloat16; evaluation stays float32")
    result.add_argument("--epsilon", default="1e-2,1e-3")
    result.add_argument("--positions", choices=("attended", "all"), default="attended")
    result.add_argument("--bias", choices=("none", "lora_only", "intermediate"), default="none")
    return result


if __name__ == "__main__":
    arguments = parser().parse_args()
    print(json.dumps({**{k: v for k, v in vars(arguments).items() if k not in ("model", "data")}, **run(arguments)}))
