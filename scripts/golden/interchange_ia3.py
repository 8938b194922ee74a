"""IA3 adapters made by peft for the interchange tests; loaded by interchange.py.

    interchange_ia3.py make --base DIR --out DIR --ids FILE     every kind of KINDS, in a folder each

FILE and the JSON printed last are those of interchange.py.
"""

import argparse
import json
import pathlib

import torch
import transformers
from peft import IA3Config, get_peft_model

from interchange import base_model, logits, model_class

KINDS = {
    "usual": {},
    "suffix": {"target_modules": ["query", "dense"], "feedforward_modules": []},
    "input": {"target_modules": ["value", "intermediate.dense"], "feedforward_modules": ["intermediate.dense"]},
    "regex": {"target_modules": r".*\.(0|1)\.(attention\.self\.key|output\.dense)", "feedforward_modules": r".*\.1\.output\.dense"},
    "excluded": {"exclude_modules": r".*\.0\..*value"},
    "saved": {"modules_to_save": ["classifier", "LayerNorm"]},
}  # fmt: skip
T5_KINDS = {
    "usual": {},
    "regex": {"target_modules": r"decoder\..*\.(q|o|wo)", "feedforward_modules": r".*\.wo"},
    "input": {"target_modules": ["o", "q"], "feedforward_modules": ["o"]},
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["make"])
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--ids", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    batch = json.loads(arguments.ids.read_text())
    is_t5 = model_class(arguments.base) is transformers.AutoModelForSeq2SeqLM
    task = {"task_type": "SEQ_2_SEQ_LM" if is_t5 else "SEQ_CLS"}
    seen = {}
    for name, kind in (T5_KINDS if is_t5 else KINDS).items():
        torch.manual_seed(len(seen))
        tuned = get_peft_model(base_model(arguments.base), IA3Config(**task | kind))
        with torch.no_grad():
            for part, parameter in tuned.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_((1 if ".ia3_l." in part else 0) + 0.5 * torch.randn(parameter.shape))
        tuned.save_pretrained(arguments.out / name)
        seen[name] = logits(tuned, batch)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
