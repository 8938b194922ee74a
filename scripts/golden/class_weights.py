"""Records of training with class weights: cases of encoders.py whose labels' loss weighs classes, alone and beside a teacher's.

    class_weights.py --out DIR

Written as distillation.py writes them, into DIR/labels without a teacher and into DIR/taught with one, with `classWeights` besides. The
labels' loss is torch's cross_entropy(weight), of tokens over those that have a label, and binary_cross_entropy_with_logits(pos_weight) for
several labels; a teacher's part has no weights.
"""

import argparse
import json
import pathlib

import torch
from torch.nn import functional

import distillation
import encoders
import reference

CASES = ("bert-3-labels.lora-qv", "roberta-multi-label.adapter-pfeiffer", "bert-tokens.lora-qv")


def weights_of(config) -> list[float]:
    return [0.25 + 0.75 * (7 * c % 5) for c in range(config.num_labels)]


class Weighted(distillation.Distilled):
    """A run whose labels' loss weighs classes."""

    def forward(self, batch):
        feeds = dict(batch)
        teacher = feeds.pop("teacher_logits", None)
        # the plain run's: Distilled asks for a teacher
        logits, _ = super(distillation.Distilled, self).forward(feeds)
        hard = self.hard(logits, feeds["labels"])
        if teacher is None:
            return logits, hard
        weight = distillation.WEIGHT
        return logits, (1 - weight) * hard + weight * self.soft(logits, teacher.to(self.dtype), feeds)

    def hard(self, logits, labels):
        weights = torch.tensor(weights_of(self.model.config), dtype=self.dtype)
        if reference.problem_of(self.model.config, {}) == "multi_label_classification":
            return functional.binary_cross_entropy_with_logits(logits, labels.to(self.dtype), pos_weight=weights)
        return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), weight=weights)


def write(out: pathlib.Path, name: str, is_taught: bool):
    case = encoders.tiny_case(out, name, golden=True)
    config = case.build().model.config
    if is_taught:
        case.batches = [distillation.taught(name, config, batch, i) for i, batch in enumerate(case.batches)]
    case.gradients = ("task", "attended-1e-2")
    reference.write_record(out, case)
    file = out / f"{name}.json"
    record = json.loads(file.read_text()) | {"classWeights": weights_of(config)}
    record |= {"distillation": {"weight": distillation.WEIGHT}} if is_taught else {}
    file.write_text(json.dumps(record, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    # what write_record runs its cases by
    reference.Run = Weighted
    for folder, is_taught in (("labels", False), ("taught", True)):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
        for name in CASES:
            write(options.out / folder, name, is_taught)
            print(f"{folder}/{name}", flush=True)


if __name__ == "__main__":
    main()
