"""Writes test/golden/metrics.json: metrics by scikit-learn and SciPy on random and degenerate inputs.

    python scripts/golden/metrics.py [--out test/golden/metrics.json]

{"versions": {...},
 "classification": [{"name", "predictions", "labels", "accuracy", "f1" | null, "matthews_correlation", "confusion",
                     "report": {"classes": {index: [precision, recall, f1, support]}, "macro": [...], "weighted": [...]}}],
 "regression":     [{"name", "predictions", "labels", "pearson" | null, "spearmanr" | null}],
 "bootstrap":      [{"a", "b", "confidence", "difference", "low", "high", "standardError"}]}

null: the library gives NaN or refuses; f1 is null for labels beyond {0, 1}, where scikit-learn refuses too.
`confusion` has the rows and columns 0 … largest class; `report` is `classification_report`'s, of the classes that occur.
"""

import argparse
import json
import math
import pathlib
import warnings

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics

warnings.filterwarnings("ignore")


def classification(name, predictions, labels):
    labels, predictions = list(map(int, labels)), list(map(int, predictions))
    size = max(labels + predictions) + 1
    return {
        "name": name,
        "predictions": predictions,
        "labels": labels,
        "accuracy": float(metrics.accuracy_score(labels, predictions)),
        "f1": float(metrics.f1_score(labels, predictions, zero_division=0)) if size <= 2 else None,
        "matthews_correlation": float(metrics.matthews_corrcoef(labels, predictions)),
        "confusion": metrics.confusion_matrix(labels, predictions, labels=list(range(size))).tolist(),
        "report": report(labels, predictions),
    }


def report(labels, predictions):
    found = metrics.classification_report(labels, predictions, output_dict=True, zero_division=0)
    scores = {name: list(map(float, of.values())) for name, of in found.items() if name != "accuracy"}
    macro, weighted = scores.pop("macro avg"), scores.pop("weighted avg")
    return {"classes": scores, "macro": macro, "weighted": weighted}


def number(function, *inputs):
    try:
        value = float(function(*inputs)[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def regression(name, predictions, labels):
    predictions, labels = list(map(float, predictions)), list(map(float, labels))
    return {
        "name": name,
        "predictions": predictions,
        "labels": labels,
        "pearson": number(stats.pearsonr, predictions, labels),
        "spearmanr": number(stats.spearmanr, predictions, labels),
    }


def classifications(rng):
    yield classification("one right", [1], [1])
    yield classification("one right, class 0", [0], [0])
    yield classification("one wrong", [0], [1])
    yield classification("labels of class 0 only", [0, 1, 0, 0], [0, 0, 0, 0])
    yield classification("labels of class 1 only", [0, 1, 0, 1], [1, 1, 1, 1])
    yield classification("predictions of class 0 only", [0, 0, 0, 0], [0, 1, 1, 0])
    yield classification("predictions of class 1 only", [1, 1, 1, 1], [0, 1, 1, 0])
    yield classification("both of class 0 only", [0, 0, 0], [0, 0, 0])
    yield classification("both of class 1 only", [1, 1, 1], [1, 1, 1])
    yield classification("all wrong", [1, 0, 1, 0], [0, 1, 0, 1])
    yield classification("three classes, one only", [2, 2, 2], [2, 2, 2])
    yield classification("three classes, one never predicted", [0, 1, 0, 1, 0], [0, 1, 2, 2, 1])
    for i in range(24):
        n, classes, skew = int(rng.integers(2, 60)), [2, 2, 3, 5][i % 4], float(rng.uniform(0.2, 0.95))
        labels = rng.integers(0, classes, n)
        predictions = np.where(rng.random(n) < skew, labels, rng.integers(0, classes, n))
        yield classification(f"random {i}", predictions, labels)


def regressions(rng):
    yield regression("one", [1.0], [2.0])
    yield regression("two, rising", [1.0, 2.0], [0.5, 3.0])
    yield regression("two, falling", [1.0, 2.0], [3.0, 1.0])
    yield regression("two, constant", [1.0, 1.0], [3.0, 1.0])
    yield regression("constant predictions", [0.1] * 7, rng.normal(size=7))
    yield regression("constant labels", rng.normal(size=7), [0.3] * 7)
    yield regression("both constant", [0.1] * 5, [0.2] * 5)
    yield regression("equal", np.arange(9), np.arange(9))
    yield regression("opposite", np.arange(9), -np.arange(9))
    yield regression("monotone, not linear", np.arange(9), np.exp(np.arange(9)))
    yield regression("all tied but one", [1, 1, 1, 1, 2], [5, 4, 3, 2, 1])
    yield regression("far from zero", 1e6 + rng.normal(size=40), 1e6 + rng.normal(size=40))
    for i in range(16):
        n = int(rng.integers(3, 50))
        labels = np.round(rng.uniform(0, 5, n), 1)
        predictions = (labels + rng.normal(0, 1 + i / 4, n)).astype(np.float32)
        yield regression(f"random {i}", predictions, labels)
    for i in range(12):
        n = int(rng.integers(4, 50))
        yield regression(f"ties {i}", rng.integers(0, 4, n), rng.integers(0, 6, n))


def bootstraps(rng):
    for n in (40, 300):
        a = (rng.random(n) < 0.9).astype(int)
        b = (rng.random(n) < 0.8).astype(int)
        difference = a - b
        result = stats.bootstrap(
            (difference,), np.mean, n_resamples=50_000, method="percentile", confidence_level=0.95, rng=rng
        )
        yield {
            "a": a.tolist(),
            "b": b.tolist(),
            "confidence": 0.95,
            "difference": float(difference.mean()),
            "low": float(result.confidence_interval.low),
            "high": float(result.confidence_interval.high),
            "standardError": float(result.standard_error),
        }


def main():
    parser = argparse.ArgumentParser(description="golden metrics of scikit-learn and SciPy")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("test/golden/metrics.json"))
    out = parser.parse_args().out
    rng = np.random.default_rng(20240201)
    groups = {
        "classification": list(classifications(rng)),
        "regression": list(regressions(rng)),
        "bootstrap": list(bootstraps(rng)),
    }
    versions = {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__}
    lines = [f' "versions": {json.dumps(versions)}']
    for name, cases in groups.items():
        rows = ",\n".join(f"  {json.dumps(case, separators=(',', ':'))}" for case in cases)
        lines.append(f' "{name}": [\n{rows}\n ]')
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
