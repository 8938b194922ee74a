"""The output matrix of an MLP fitted again to some of its neurons, by PyTorch's least squares.

    refit.py FACTS.json  ->  {"out": [D][kept], "constant": [D], "gains": [F]} on stdout

FACTS: `activations` [tokens][F], `weight` [D][F], `kept`, `damping`. Minimised over out and constant is the mean over tokens of
|W a - out a_k - constant|^2 plus damping times the mean variance times |out - W_k|^2, written as rows of one system. `gains` is what
is left of E|W (a - mean)|^2, times the tokens, when each neuron alone is fitted so, the first step of the order in which they are kept.
"""

import json
import sys

import torch

facts = json.load(open(sys.argv[1]))
a = torch.tensor(facts["activations"], dtype=torch.float64)
weight = torch.tensor(facts["weight"], dtype=torch.float64)
tokens, neurons = a.shape
centred = a - a.mean(0)
pull = facts["damping"] * centred.var(0, unbiased=False).mean()


def fit(kept):
    rows = torch.cat([centred[:, kept], (tokens * pull).sqrt() * torch.eye(len(kept), dtype=torch.float64)])
    wanted = torch.cat([centred @ weight.T, (tokens * pull).sqrt() * weight[:, kept].T])
    return torch.linalg.lstsq(rows, wanted).solution.T


def left(kept):
    return ((centred @ weight.T - centred[:, kept] @ fit(kept).T) ** 2).sum().item()


kept = facts["kept"]
out = fit(kept)
constant = weight @ a.mean(0) - out @ a.mean(0)[kept]
gains = [left([f]) for f in range(neurons)]
print(json.dumps({"out": out.tolist(), "constant": constant.tolist(), "gains": gains}))
