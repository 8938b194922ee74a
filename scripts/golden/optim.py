"""Reference values of AdamW and the learning-rate schedules, by torch and transformers in float64.

    optim.py FILE        writes test/golden/optim.json

`adamw[]`: {options, start, gradients[step][i], after[step][i]}; `schedules[]`: {name, learningRate, warmupSteps,
totalSteps, rates[step]}, step 0 first.
"""

import json
import pathlib
import sys

import torch
import transformers

START = [1.0, -2.0, 0.5, 0.0]
# a step without gradient, a large one, one of another sign
GRADIENTS = [[0.1, -0.2, 0.3, 1e-9], [0.0, 0.0, 0.0, 0.0], [-4.0, 2.0, 0.5, 1e-9], [0.05, -0.02, -30.0, -1e-7]]
ADAMW = [
    {"learningRate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01},
    {"learningRate": 0.003, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.0},
    {"learningRate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "weightDecay": 0.5},
]
SCHEDULES = [("linear", 3, 10), ("linear", 0, 4), ("cosine", 2, 9), ("cosine", 0, 5), ("constant", 4, 8), ("linear", 5, 5)]


def adamw(options: dict) -> dict:
    p = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = torch.optim.AdamW(
        [p], lr=options["learningRate"], betas=(options["beta1"], options["beta2"]), eps=options["epsilon"],
        weight_decay=options["weightDecay"],
    )  # fmt: skip
    after = []
    for gradient in GRADIENTS:
        p.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        after.append(p.tolist())
    return {"options": options, "start": START, "gradients": GRADIENTS, "after": after}


def schedule(name: str, warmup: int, total: int) -> dict:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    kind = "constant_with_warmup" if name == "constant" else name
    made = transformers.get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return {"name": name, "learningRate": 3e-4, "warmupSteps": warmup, "totalSteps": total, "rates": rates}


def main():
    record = {"adamw": [adamw(o) for o in ADAMW], "schedules": [schedule(*s) for s in SCHEDULES]}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
