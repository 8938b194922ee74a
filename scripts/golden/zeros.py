"""Counts exact non-zeros of a model's MLP activations with transformers: `zeros.py FOLDER INPUTS.json` prints a share for each layer."""
import json
import sys

import torch
from transformers import AutoModelForSequenceClassification

folder, inputs = sys.argv[1:3]
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
with open(inputs) as file:
    texts = {name: torch.tensor(rows) for name, rows in json.load(file).items()}
attended = texts["attention_mask"].bool()
shares = []


def count(_module, _args, output):
    shares.append((output[attended] != 0).double().mean().item())


for layer in model.base_model.encoder.layer:
    layer.intermediate.register_forward_hook(count)
with torch.no_grad():
    logits = model(**texts).logits
print(json.dumps({"shares": shares, "logits": logits.tolist()}))
