"""Records of training with a teacher: cases of encoders.py whose task loss asks for a teacher's logits too.

    distillation.py --out DIR

Written as encoders.py writes them, checkpoints included, with `batch/<i>/teacher_logits` [B, C], of spans [B, S, 2], and `distillation.weight`
besides.
Teachers of tokens are [B, S, C].
`taskLoss` is `(1 - weight) * task + weight * soft`; soft is torch's kl_div by batchmean for classes, binary cross entropy with
the teacher's sigmoid for several labels, the squared error to the teacher's score for a regression, and of spans the mean of kl_div over the
positions for the start and for the end; of tokens the mean of kl_div over the labelled ones.
"""

import argparse
import json
import pathlib

import torch
from torch.nn import functional

import encoders
import reference

CASES = ("bert-3-labels.lora-qv", "bert-regression.full", "roberta-regression.lora-qv", "roberta-multi-label.adapter-pfeiffer", "bert-span.lora-qv", "roberta-span.head", "bert-tokens.lora-qv")
WEIGHT = 0.3


class Distilled(reference.Run):
    """A run whose task loss is distilled."""

    def forward(self, batch):
        feeds = dict(batch)
        teacher = feeds.pop("teacher_logits").to(self.dtype)
        logits, task = super().forward(feeds)
        return logits, (1 - WEIGHT) * task + WEIGHT * self.soft(logits, teacher, feeds)

    def soft(self, logits, teacher, feeds):
        if encoders.is_tokens(self.model.config):
            counted = feeds["labels"] != -100
            logits, teacher = logits[counted], teacher[counted]
        if encoders.is_span(self.model.config):
            halves = [functional.kl_div(logits[..., i].log_softmax(-1), teacher[..., i].softmax(-1), reduction="batchmean") for i in (0, 1)]
            return sum(halves) / 2
        problem = reference.problem_of(self.model.config, {})
        if problem == "regression":
            return functional.mse_loss(logits, teacher)
        if problem == "multi_label_classification":
            return functional.binary_cross_entropy_with_logits(logits, teacher.sigmoid())
        return functional.kl_div(logits.log_softmax(-1), teacher.softmax(-1), reduction="batchmean")


def taught(name: str, config, batch: dict[str, torch.Tensor], index: int) -> dict[str, torch.Tensor]:
    shape = (*batch["input_ids"].shape, 2) if encoders.is_span(config) else (len(batch["input_ids"]), config.num_labels)
    if encoders.is_tokens(config):
        shape = (*batch["input_ids"].shape, config.num_labels)
    return batch | {"teacher_logits": torch.randn(shape, generator=reference.seeded(f"{name}/teacher/{index}")) * 2}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    # what write_record runs its cases by
    reference.Run = Distilled
    for name in CASES:
        case = encoders.tiny_case(options.out, name, golden=True)
        config = case.build().model.config
        case.batches = [taught(name, config, batch, i) for i, batch in enumerate(case.batches)]
        case.gradients = ("task", "attended-1e-2")
        reference.write_record(options.out, case)
        file = options.out / f"{name}.json"
        record = json.loads(file.read_text()) | {"distillation": {"weight": WEIGHT}}
        file.write_text(json.dumps(record, indent=1) + "\n")
        print(name, flush=True)


if __name__ == "__main__":
    main()
