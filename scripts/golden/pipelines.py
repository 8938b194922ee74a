"""What transformers' pipelines and peft say of folders that deft wrote.

    pipelines.py token-classification|text-classification TEXTS.json FOLDER...
    pipelines.py peft-tokens BATCH.json BASE ADAPTER

TEXTS is a list of texts, or of lists of words. One line of JSON on stdout: for each folder what its pipeline gives for each text, with
aggregation_strategy="simple", or the scores of all classes by name. For peft the task type, the class and the logits [B, S, C]; BATCH
holds input_ids, attention_mask and numLabels.
"""

import json
import sys

import torch
import transformers
from peft import PeftConfig, PeftModel

transformers.logging.set_verbosity_error()


def pipeline_of(task, folder):
    auto = {
        "token-classification": transformers.AutoModelForTokenClassification,
        "text-classification": transformers.AutoModelForSequenceClassification,
    }[task]
    model, info = auto.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return transformers.pipeline(task, model=model, tokenizer=tokenizer)


def entities(pipe, text):
    more = {"is_split_into_words": True} if isinstance(text, list) else {}
    found = pipe(text, aggregation_strategy="simple", **more)
    # words are taken for a batch of one text
    found = found[0] if more else found
    return [entity | {"score": float(entity["score"])} for entity in found]


def scores(pipe, text):
    return {one["label"]: one["score"] for one in pipe(text, top_k=None)}


def peft_tokens(batch, base, adapter):
    config = PeftConfig.from_pretrained(adapter)
    model = transformers.AutoModelForTokenClassification.from_pretrained(
        base, local_files_only=True, num_labels=batch["numLabels"], ignore_mismatched_sizes=True
    )
    model = PeftModel.from_pretrained(model, adapter).eval()
    feeds = {name: torch.tensor(batch[name]) for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        logits = model(**feeds).logits
    return {"taskType": config.task_type, "class": type(model).__name__, "logits": logits.flatten().tolist()}


def main():
    task, data, *folders = sys.argv[1:]
    with open(data, encoding="utf-8") as file:
        given = json.load(file)
    if task == "peft-tokens":
        print(json.dumps(peft_tokens(given, *folders)))
        return
    say = entities if task == "token-classification" else scores
    print(json.dumps([[say(pipe, text) for text in given] for pipe in (pipeline_of(task, f) for f in folders)]))


main()
