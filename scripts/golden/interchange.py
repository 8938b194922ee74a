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
from safetensors.torch import load_file

transformers.logging.set_verbosity_error()

USUAL = {"task_type": "SEQ_CLS", "r": 2, "lora_alpha": 4}
HEAD = ["HEAD"]  # stands for the linear layers of the model's head
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
    "tables": {"target_modules": ["word_embeddings", "position_embeddings", "token_type_embeddings", "key"]},
    "tables-regex": {"target_modules": r".*(word_embeddings|value)", "rank_pattern": {"word_embeddings": 3}, "use_rslora": True},
    "tables-stored": {"target_modules": ["word_embeddings"], "save_embedding_layers": True},
    "without-head": {"target_modules": ["query"], "task_type": None},
    "on-head": {"target_modules": ["query", *HEAD], "task_type": None},
    "on-head-bias": {"target_modules": HEAD, "task_type": None, "bias": "all"},
    "on-head-all-linear": {"target_modules": "all-linear", "task_type": None, "alpha_pattern": {"classifier": 7}},
    "head-saved": {"target_modules": ["query", *HEAD]},
    "features": {"target_modules": ["query", "word_embeddings"], "task_type": "FEATURE_EXTRACTION"},
    "features-regex": {"target_modules": r"encoder\.layer\.1\..*(query|dense)", "task_type": "FEATURE_EXTRACTION"},
    "features-all-linear": {"target_modules": "all-linear", "task_type": "FEATURE_EXTRACTION", "rank_pattern": {"key": 3}},
    "features-pooler": {"target_modules": ["value"], "modules_to_save": ["LayerNorm"], "task_type": "FEATURE_EXTRACTION"},
    # as peft wrote them before 0.11: null for the modules that the task adds
    "old": {"target_modules": ["query", "value"], "old": True},
    "old-prompt": {"num_virtual_tokens": 3, "task_type": "SEQ_CLS", "old": True},
}
T5_KINDS = {
    "suffix": {"target_modules": ["q", "v"]},
    "regex": {"target_modules": r"decoder\..*\.(k|wi|wi_0|wo)", "rank_pattern": {r"block\.1\..*\.wo": 4}},
    "all-linear": {"target_modules": "all-linear", "use_rslora": True},
    "layers": {"target_modules": ["o"], "layers_to_transform": [1], "layers_pattern": "block"},
    "prompt": {"num_virtual_tokens": 3},
    "tables": {"target_modules": ["embed_tokens", "v"]},
    "distances": {"target_modules": ["relative_attention_bias", "wo"]},
    "shared": {"target_modules": ["shared", "q"]},
    "vocabulary": {"target_modules": ["lm_head", "k"]},
}


def model_class(folder):
    is_t5 = json.loads((pathlib.Path(folder) / "config.json").read_text())["model_type"] in ("t5", "mt5")
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
        settings = {key: value for key, value in kind.items() if key not in ("old", "save_embedding_layers")}
        if "num_virtual_tokens" in kind:
            config = PromptTuningConfig(**{**task, **settings})
        else:
            config = LoraConfig(**{**USUAL, **task, **settings})
        is_bare = config.task_type == "FEATURE_EXTRACTION"
        base = base_model(arguments.base)
        if "HEAD" in kind.get("target_modules", []):
            head = ["classifier"] if base.config.model_type == "bert" else ["classifier.dense", "out_proj"]
            config.target_modules = {*head, *config.target_modules} - {"HEAD"}
        # a bare encoder inside its model: what the adapter does to it shows in the head's logits
        bare = base.base_model if is_bare else base
        tuned = get_peft_model(bare, config)
        with torch.no_grad():
            for parameter in tuned.parameters():
                if parameter.requires_grad:
                    parameter.normal_(std=0.3)
        tuned.save_pretrained(arguments.out / name, save_embedding_layers=kind.get("save_embedding_layers", "auto"))
        if kind.get("old"):
            make_old(arguments.out / name)
        seen[name] = logits(base if is_bare else tuned, batch)
    return seen


def make_old(folder):
    """The folder as peft wrote it before 0.11, with a pickled file."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    known = ["base_model_name_or_path", "bias", "inference_mode", "lora_alpha", "lora_dropout", "peft_type", "r"]
    known += ["target_modules", "task_type", "num_virtual_tokens", "token_dim", "num_layers", "num_attention_heads"]
    kept = {key: config[key] for key in known if key in config}
    added = {"modules_to_save": None, "fan_in_fan_out": False, "enable_lora": None, "merge_weights": False}
    path.write_text(json.dumps({**kept, **(added if "r" in config else {})}))
    weights = folder / "adapter_model.safetensors"
    torch.save(load_file(weights), folder / "adapter_model.bin")
    weights.unlink()


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
