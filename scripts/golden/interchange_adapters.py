"""As interchange.py, for AdapterHub's library; run by the Python of .venv-adapters.

    interchange_adapters.py make --base DIR --out DIR --ids FILE     every configuration of KINDS, in a folder each
    interchange_adapters.py load --base DIR --ids FILE NAME=FOLDER…  adapters with their heads
"""

import argparse
import json
import pathlib

import adapters
import torch
import transformers

transformers.logging.set_verbosity_error()

KINDS = {
    "pfeiffer": adapters.SeqBnConfig(reduction_factor=4),
    "houlsby": adapters.DoubleSeqBnConfig(reduction_factor=2),
    "gelu": adapters.SeqBnConfig(reduction_factor=8, non_linearity="gelu"),
    "dropout": adapters.SeqBnConfig(reduction_factor=8, dropout=0.2),
    # what is not built, and must be refused
    "parallel": adapters.ParBnConfig(reduction_factor=2),
    "scaled": adapters.SeqBnConfig(reduction_factor=8, scaling=2.0),
    "ln-before": adapters.DoubleSeqBnConfig(reduction_factor=8, original_ln_before=True),
}


def is_t5(folder):
    return json.loads((folder / "config.json").read_text())["model_type"] == "t5"


def base_model(folder):
    kind = transformers.AutoModelForSeq2SeqLM if is_t5(folder) else transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(folder, local_files_only=True)
    adapters.init(model)
    return model


def logits(model, batch):
    feeds = {"input_ids": batch["ids"], "attention_mask": batch["mask"]}
    if "labels" in batch:
        feeds["labels"] = batch["labels"]
    with torch.no_grad():
        output = model.eval()(**{name: torch.tensor(rows) for name, rows in feeds.items()})
    return output.logits.flatten().tolist()


def make(arguments, batch):
    seen = {}
    arguments.out.mkdir(parents=True)
    for name, config in KINDS.items():
        torch.manual_seed(len(seen))
        model = base_model(arguments.base)
        model.add_adapter("task", config=config)
        model.set_active_adapters("task")
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if ".adapters." in key or key.startswith("classifier"):
                    parameter.normal_(std=0.3)
        folder = str(arguments.out / name)
        model.save_adapter(folder, "task", use_safetensors=True)
        if not is_t5(arguments.base):
            model.save_head(folder, use_safetensors=True)
        seen[name] = logits(model, batch)
    return seen


def load(arguments, batch):
    seen = {}
    for name, folder in (named.split("=", 1) for named in arguments.folders):
        model = base_model(arguments.base)
        model.load_adapter(folder, use_safetensors=True, set_active=True)
        if not is_t5(arguments.base):
            model.load_head(folder, use_safetensors=True)
        seen[name] = logits(model, batch)
    return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["make", "load"])
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--ids", type=pathlib.Path, required=True)
    parser.add_argument("folders", nargs="*")
    arguments = parser.parse_intermixed_args()
    batch = json.loads(arguments.ids.read_text())
    print(json.dumps({"make": make, "load": load}[arguments.job](arguments, batch)))


if __name__ == "__main__":
    main()
