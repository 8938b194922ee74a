"""Steps of one MLP with a ReLU towards what it is to give, by PyTorch's autograd and AdamW.

Reads the JSON file that is its argument: the MLP, what it reads and is to give, the tokens of every step, and the numbers
of src/jobs/compress/mlp-steps.ts. Prints the parameters behind the last step as JSON.
"""

import json
import sys

import torch

case = json.load(open(sys.argv[1]))
tensor = lambda values: torch.tensor(values, dtype=torch.float32)
x, y = tensor(case["inputs"]), tensor(case["targets"])
parameters = {name: torch.nn.Parameter(tensor(values)) for name, values in case["start"].items()}
scales = {name: parameters[name].detach().square().mean().sqrt().item() for name in ("into", "out")}
optimizer = torch.optim.AdamW(
    [{"params": [parameter], "scale": scales[name.removesuffix("Bias")]} for name, parameter in parameters.items()], weight_decay=0
)
factor = tensor(case["factor"]) if case["factor"] is not None else None
variance = y.var(dim=0, unbiased=False).mean()
weight = case["weight"]["first"]
steps = len(case["rows"])
for step, rows in enumerate(case["rows"]):
    a = torch.relu(x[rows] @ parameters["into"].T + parameters["intoBias"])
    read = a if factor is None else a * (x[rows] @ factor.T)
    missing = read @ parameters["out"].T + parameters["outBias"] - y[rows]
    active = a > 0
    epsilon = (a.detach().sum() / active.sum().clamp(min=1)) ** 2
    loss = missing.square().mean() / variance + weight * (a.square() / (a.square() + epsilon)).mean()
    optimizer.zero_grad()
    loss.backward()
    for group in optimizer.param_groups:
        group["lr"] = case["rate"] * group["scale"] * (1 - step / steps)
    optimizer.step()
    weight *= case["weight"]["factor"] if active.float().mean() > case["density"] else 1 / case["weight"]["factor"]
    weight = min(case["weight"]["most"], max(case["weight"]["least"], weight))
print(json.dumps({name: parameter.tolist() for name, parameter in parameters.items()}))
