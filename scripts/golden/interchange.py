"""The Python side of the interchange tests: adapters and merged models made and loaded by peft and transformers.

    interchange.py make  --base DIR --out DIR --ids FILE         every kind of adapter of KINDS, in a folder each
    interchange.py load  --base DIR --ids FILE NAME=FOLDER…      adapters loaded by peft
    interchange.py merged --ids FILE NAME=FOLDER…                checkpoints loaded by transformers

FILE holds {"ids": [[…]], "mask": [[…]]}, for T5 "labels" too. The last line printed is JSON: the logits by name, flat.
"""

import argparse
import json
import pathlib
import warnings

import torch
import transformers
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model

transformers.logging.set_verbosity_error()

USUAL = {"task_type": "SEQ_CLS", "r": 2, "lora_alpha": 4}
KINDS = {
    "suffix": {"target_modules": ["query", "value"], "use_rslora": True},
    "regex": {"target_modules": r".*\.(0|1)\.attention\.self\.(query|key)"},
    "all-linear": {"target_modules": "all-linear"},
    "patterns": {
        "target_modules": ["query", "output.dense"],
        "rank_pattern": {r"^.*\.layer\.1\.attention\.self\.query": 3, "attention.output.dense": 1},
        "alpha_pattern": {"query": 16},
    },
    "patterns-rslora": {"target_modules": ["query"], "rank_pattern": {r"layer\.0\..*": 5}, "use_rslora": True},
    "layers": {"target_modules": ["query", "value"], "layers_to_transform": [1]},
    "layers-pattern": {"target_modules": ["dense"], "layers_to_transform": 0, "layers_pattern": "layer"},
    "excluded": {"target_modules": ["query", "value"], "exclude_modules": r".*\.0\..*value"},
    "bias-all": {"target_modules": ["query"], "bias": "all"},
    "bias-lora-only": {"target_modules": ["intermediate.dense"], "bias": "lora_only"},
    "saved": {"target_modules": ["key"], "modules_to_save": ["classifier", "LayerNorm"]},
    "dropout": {"target_modules": ["value"], "lora_dropout": 0.3, "init_lora_weights": "gaussian"},
}
T5_KINDS = {
    "suffix": {"target_modules": ["q", "v"]},
    "regex": {"target_modules": r"decoder\..*\.(k|wi|wi_0|wo)", "rank_pattern": {r"block\.1\..*\.wo": 4}},
    "all-linear": {"target_modules": "all-linear", "use_rslora": True},
    "layers": {"target_modules": ["o"], "layers_to_transform": [1], "layers_pattern": "block"},
    "prompt": {"num_virtual_tokens": 3},
}


def model_class(folder):
    is_t5 = json.loads((pathlib.Path(folder) / "config.json").read_text())["model_type"] == "t5"
    return transformers.AutoModelForSeq2SeqLM if is_t5 else transformers.AutoModelForSequenceClassification


def base_model(folder):
    return model_class(folder).from_pretrained(folder, local_files_only=True)


def logits(model, batch):
    feeds = {"input_ids": batch["ids"], "attention_mask": batch["mask"]}
    if "labels" in batch:
        feeds["labels"] = batch["labels"]
    with torch.no_grad():
        output = model.eval()(**{name: torch.tensor(rows) for name, rows in feeds.items()})
    return output.logits.flatten().tolist()


def make(arguments, batch):
    seen = {}
    is_t5 = model_class(arguments.base) is transformers.AutoModelForSeq2SeqLM
    for name, kind in (T5_KINDS if is_t5 else KINDS).items():
        torch.manual_seed(len(seen))
        task = {"task_type": "SEQ_2_SEQ_LM"} if is_t5 else {}
        if "num_virtual_tokens" in kind:
            config = PromptTuningConfig(**{**task, **kind})
        else:
            config = LoraConfig(**{**USUAL, **task, **kind})
        tuned = get_peft_model(base_model(arguments.base), config)
        with torch.no_grad():
            for parameter in tuned.parameters():
                if parameter.requires_grad:
                    parameter.normal_(std=0.3)
        tuned.save_pretrained(arguments.out / name)
        seen[name] = logits(tuned, batch)
    return seen


def load(arguments, batch):
    seen = {}
    for name, folder in named(arguments.folders):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            seen[name] = logits(PeftModel.from_pretrained(base_model(arguments.base), folder), batch)
        missing = [str(w.message) for w in caught if "missing" in str(w.message).lower()]
        assert not missing, missing
    return seen


def merged(arguments, batch):
    seen = {}
    for name, folder in named(arguments.folders):
        model, info = model_class(folder).from_pretrained(folder, local_files_only=True, output_loading_info=True)
        assert not info["missing_keys"] and not info["mismatched_keys"], info
        assert model.dtype == torch.float32, model.dtype
        seen[name] = {"logits": logits(model, batch), "labels": model.config.id2label}
    return seen


def named(folders):
    return [folder.split("=", 1) for folder in folders]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["make", "load", "merged"])
    parser.add_argument("--base", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--ids", type=pathlib.Path, required=True)
    parser.add_argument("folders", nargs="*")
    arguments = parser.parse_intermixed_args()
    batch = json.loads(arguments.ids.read_text())
    print(json.dumps({"make": make, "load": load, "merged": merged}[arguments.job](arguments, batch)))


if __name__ == "__main__":
    main()
