"""Writes test/golden/label-metrics.json: scikit-learn's scores of several labels, seqeval's of tags, torch's weighted losses.

    python scripts/golden/label_metrics.py [--out test/golden/label-metrics.json]

{"versions": {...},
 "several": [{"name", "given": [[class…]…], "right": [[…]…], "classes", "f1_micro", "f1_macro", "accuracy"}],
 "tags":    [{"name", "given": [[tag…]…], "right": [[…]…], "precision", "recall", "f1", "accuracy"}],
 "losses":  [{"name", "kind", "logits", "labels", "weights", "loss", "gradient"}]}

Losses of kind "class" are cross_entropy(weight), of "token" the same over [B, S, C] with -100 ignored, of "several"
binary_cross_entropy_with_logits(pos_weight), means over all as transformers' models have them.
"""

import argparse
import importlib.metadata
import json
import pathlib
import warnings

import numpy as np
import sklearn
import torch
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn import metrics
from torch.nn import functional

warnings.filterwarnings("ignore")


def several(name, given, right, classes):
    ones = lambda rows: np.array([[int(c in row) for c in range(classes)] for row in rows])
    y_pred, y_true = ones(given), ones(right)
    return {
        "name": name,
        "classes": classes,
        "given": given,
        "right": right,
        "f1_micro": float(metrics.f1_score(y_true, y_pred, average="micro", zero_division=0)),
        "f1_macro": float(metrics.f1_score(y_true, y_pred, average="macro", zero_division=0)),
        "accuracy": float(metrics.accuracy_score(y_true, y_pred)),
    }


def tags(name, given, right):
    return {
        "name": name,
        "given": given,
        "right": right,
        "precision": float(precision_score(right, given, zero_division=0)),
        "recall": float(recall_score(right, given, zero_division=0)),
        "f1": float(f1_score(right, given, zero_division=0)),
        "accuracy": float(accuracy_score(right, given)),
    }


def losses(name, kind, logits, labels, weights):
    x = logits.clone().requires_grad_(True)
    if kind == "several":
        loss = functional.binary_cross_entropy_with_logits(x, labels.float(), pos_weight=weights)
    else:
        loss = functional.cross_entropy(x.reshape(-1, x.shape[-1]), labels.reshape(-1), weight=weights)
    loss.backward()
    return {
        "name": name,
        "kind": kind,
        "logits": logits.tolist(),
        "labels": labels.tolist(),
        "weights": weights.tolist(),
        "loss": float(loss),
        "gradient": x.grad.tolist(),
    }


def label_sets(random, rows, classes, share):
    return [[c for c in range(classes) if random.random() < share] for _ in range(rows)]


SCHEMES = {
    "IOB2": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "IOB1": ["O", "I-PER", "I-PER", "I-LOC", "I-LOC", "B-PER", "B-LOC"],
    "IOE2": ["O", "I-PER", "E-PER", "I-LOC", "E-LOC"],
    "IOBES": ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC"],
    "BILOU": ["O", "B-PER", "I-PER", "L-PER", "U-PER", "B-LOC", "I-LOC", "L-LOC", "U-LOC"],
    "types with hyphens": ["O", "B-work-of-art", "I-work-of-art", "B-art", "I-art", "B-of-art"],
    "no types": ["O", "B", "I", "E", "S"],
    "parts of speech": ["NOUN", "VERB", "PROPN", "."],
    "all of them": ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B", "E-B", "S-B", "M-A", "I"],
}


def sentences(random, tag_set, rows):
    return [[str(random.choice(tag_set)) for _ in range(random.integers(1, 9))] for _ in range(rows)]


def noisy(random, rows, tag_set, share):
    return [[str(random.choice(tag_set)) if random.random() < share else tag for tag in row] for row in rows]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="test/golden/label-metrics.json")
    out = pathlib.Path(parser.parse_args().out)
    random = np.random.default_rng(13)
    sets = [
        several(f"random, {share} of {classes}", label_sets(random, rows, classes, share), label_sets(random, rows, classes, 0.4), classes)
        for rows, classes, share in [(40, 3, 0.4), (25, 6, 0.2), (12, 2, 0.8), (30, 5, 0.05)]
    ]
    sets += [
        several("all right", [[0], [], [1, 2]], [[0], [], [1, 2]], 3),
        several("nothing given", [[], []], [[0], [1]], 3),
        several("nothing true", [[0], []], [[], []], 2),
        several("nothing at all", [[], []], [[], []], 2),
    ]
    found = []
    for scheme, tag_set in SCHEMES.items():
        for share in (0.15, 0.6, 1.0):
            right = sentences(random, tag_set, 12)
            found.append(tags(f"{scheme}, {share} changed", noisy(random, right, tag_set, share), right))
    found += [
        tags("nothing found", [["O", "O"]], [["B-A", "I-A"]]),
        tags("nothing to find", [["B-A", "O"]], [["O", "O"]]),
        tags("neither", [["O"]], [["O"]]),
        tags("an entity ends with its sentence", [["B-A"], ["I-A"]], [["B-A"], ["I-A"]]),
    ]
    torch.manual_seed(3)
    weighted = [
        losses("classes", "class", torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 2, 1]), torch.tensor([2.0, 0.5, 1.25])),
        losses("a class of no weight", "class", torch.randn(4, 2), torch.tensor([0, 1, 1, 0]), torch.tensor([0.0, 1.0])),
        losses(
            "tags",
            "token",
            torch.randn(2, 4, 3),
            torch.tensor([[-100, 0, 2, -100], [1, -100, -100, 2]]),
            torch.tensor([0.3, 2.0, 1.0]),
        ),
        losses("several", "several", torch.randn(5, 3) * 3, torch.randint(0, 2, (5, 3)), torch.tensor([1.0, 4.0, 0.25])),
    ]
    versions = {name: importlib.metadata.version(name) for name in ("seqeval", "torch", "numpy")}
    record = {
        "versions": {"scikit-learn": sklearn.__version__, **versions},
        "several": sets,
        "tags": found,
        "losses": weighted,
    }
    # a case a line
    parts = [
        f'"{key}": ' + (json.dumps(value) if key == "versions" else "[\n" + ",\n".join(map(json.dumps, value)) + "\n]")
        for key, value in record.items()
    ]
    out.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
