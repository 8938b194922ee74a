"""Writes test/golden/runs/answers.json: what scikit-learn says of the answers in test/golden/runs/*/predictions.jsonl.

    python scripts/golden/runs.py

{run: {"labels": [...], "confusion": [[...]], "report": {class: [precision, recall, f1, support], "macro avg": …, "weighted avg": …},
       "wrong": [line …, of the largest loss first]}}
"""

import json
import pathlib

from sklearn import metrics

RUNS = pathlib.Path("test/golden/runs")


def answers(folder):
    labels = json.loads((folder / "run.json").read_text())["labels"]
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    truth, predicted = [row["target"] for row in rows], [row["prediction"] for row in rows]
    report = metrics.classification_report(truth, predicted, labels=labels, output_dict=True, zero_division=0)
    wrong = sorted((row for row in rows if row["target"] != row["prediction"]), key=lambda row: (-row["loss"], row["line"]))
    return {
        "labels": labels,
        "confusion": metrics.confusion_matrix(truth, predicted, labels=labels).tolist(),
        "report": {name: list(of.values()) for name, of in report.items() if isinstance(of, dict)},
        "wrong": [row["line"] for row in wrong],
    }


def main():
    folders = [folder for folder in sorted(RUNS.iterdir()) if (folder / "predictions.jsonl").exists()]
    classes = {folder.name: answers(folder) for folder in folders if json.loads((folder / "run.json").read_text())["labels"]}
    lines = [f" {json.dumps(name)}: {json.dumps(of, separators=(',', ':'))}" for name, of in classes.items()]
    (RUNS / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
