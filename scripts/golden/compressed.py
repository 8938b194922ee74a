"""Logits of a transformers classifier edited the way a compression plan says.

    compressed.py MODEL_FOLDER PLAN.json INPUTS.json  ->  {"logits": [[...]]} on stdout

INPUTS holds input_ids, attention_mask and token_type_ids as lists of rows. The edits, layer by layer: neurons left out of
`kept` lose their rows of intermediate.dense and columns of output.dense, output.dense is multiplied by `gate`, `constant`
is added to what it gives; with no neuron left the block ends in output.LayerNorm(x + constant).
"""

import json
import sys

import torch
from transformers import AutoModelForSequenceClassification


def edit(layer, plan) -> None:
    norm = layer.output.LayerNorm
    constant = torch.tensor(plan["constant"]) if plan["constant"] is not None else 0.0
    if plan["kept"] == []:
        layer.feed_forward_chunk = lambda x: norm(x + constant)
        return
    kept = list(range(plan["neurons"])) if plan["kept"] is None else plan["kept"]
    inner, outer = layer.intermediate, layer.output.dense

    def mlp(x):
        a = inner(x)[..., kept]
        h = plan["gate"] * (a @ outer.weight[:, kept].T + outer.bias) + constant
        return norm(x + h)

    layer.feed_forward_chunk = mlp


folder, plan_file, inputs_file = sys.argv[1:]
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
for layer, plan in zip(model.base_model.encoder.layer, json.load(open(plan_file))["layers"], strict=True):
    edit(layer, plan)
inputs = {name: torch.tensor(rows) for name, rows in json.load(open(inputs_file)).items()}
with torch.inference_mode():
    print(json.dumps({"logits": model(**inputs).logits.tolist()}))
