"""Checks the adapter records against AdapterHub's own library; run by the Python of .venv-adapters.

    adapters_check.py --records DIR      DIR as written by encoders.py or t5.py, with their `*.adapter-*` cases

For each case the library builds `seq_bn` or `double_seq_bn` on the case's checkpoint and takes the record's start;
logits, task loss and the gradient of every trainable must agree. Prints one line a case, exits 1 on a difference.
"""

import argparse
import json
import pathlib
import re
import sys

import adapters
import safetensors.torch
import torch
import transformers

transformers.logging.set_verbosity_error()
CONFIG = {"pfeiffer": adapters.SeqBnConfig, "houlsby": adapters.DoubleSeqBnConfig}
TOLERANCE = 2e-6


def our_name(name: str) -> str:
    return re.sub(r"\.adapters\.record\.(adapter_down)\.0\.|\.adapters\.record\.(adapter_up)\.", r".\1\2.", name)


def check(records: pathlib.Path, name: str) -> float:
    """The largest difference over all that is compared."""
    record = json.loads((records / f"{name}.json").read_text())
    tensors = safetensors.torch.load_file(records / f"{name}.safetensors")
    method = record["method"]
    is_text = record["problem"] == "language_modeling"
    auto = transformers.AutoModelForSeq2SeqLM if is_text else transformers.AutoModelForSequenceClassification
    model = auto.from_pretrained(
        records / record["checkpoint"], attn_implementation="eager", local_files_only=True
    )
    adapters.init(model)
    config = CONFIG[method["style"]](reduction_factor=method["reductionFactor"])
    assert config.non_linearity == method["nonLinearity"], config.non_linearity
    # T5 has no norm behind its sublayers: its key says whether the adapter reads the sum with the residual
    assert config.original_ln_before == method["originalLnBefore"], config.original_ln_before
    model.add_adapter("record", config=config)
    model.train_adapter("record")
    # a weight left at its random start would show as a difference, a name that fits nothing here
    trainables = {our_name(n): p for n, p in model.named_parameters() if p.requires_grad}
    assert set(trainables) == {t["name"] for t in record["trainables"]}, sorted(trainables)
    with torch.no_grad():
        for key, p in trainables.items():
            p.copy_(tensors[f"init/{key}"])
    model.eval()
    batch = {key.removeprefix("batch/0/"): t for key, t in tensors.items() if key.startswith("batch/0/")}
    output = model(**batch)
    output.loss.backward()
    gaps = {
        "logits": (output.logits - tensors["forward/logits"]).abs().max().item(),
        "loss": abs(output.loss.item() - record["forward"]["taskLoss"]),
    }
    for key, p in trainables.items():
        gaps[key] = (p.grad - tensors[f"grad/task/{key}"]).abs().max().item()
    worst = max(gaps, key=gaps.get)
    print(f"{name}: {len(gaps)} compared, worst {gaps[worst]:.1e} at {worst}")
    return gaps[worst]


def main():
    parser = argparse.ArgumentParser(description="adapter records against AdapterHub's library")
    parser.add_argument("--records", type=pathlib.Path, required=True)
    records = parser.parse_args().records
    names = sorted(p.stem for p in records.glob("*.adapter-*.json") if not p.stem.startswith("checkpoint."))
    if not names:
        sys.exit(f"adapters_check.py: no adapter case in {records}")
    if max(check(records, name) for name in names) > TOLERANCE:
        sys.exit(f"adapters_check.py: expected differences below {TOLERANCE}")


if __name__ == "__main__":
    main()
