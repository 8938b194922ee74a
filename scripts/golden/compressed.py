"""What a transformers model says when it is edited the way a compression plan says.

    compressed.py (MODEL_FOLDER PLAN.json|- INPUTS.json)...  ->  one line of JSON for each model on stdout

A classifier gives {"logits": [[...]]}. A T5 gives {"logits": [rows][positions][vocabulary]} over the labels, and {"texts": [[...]]},
the token ids that it writes greedily, from behind the start token. `-` is no plan: the model as it is loaded.

INPUTS holds input_ids, attention_mask, and token_type_ids or labels, as lists of rows; and for a T5 `maxNewTokens`. The edits,
layer by layer, the encoder's first: neurons left out of `kept` lose their rows of the MLP's first matrix (of both, when gated) and
columns of its last, which is multiplied by `gate`; `constant` is added to what the MLP gives. With no neuron left a
classifier's block ends in output.LayerNorm(x + constant), and a T5's in x + constant.
"""

import json
import sys

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification


def constant_of(plan):
    return torch.tensor(plan["constant"]) if plan["constant"] is not None else 0.0


def kept_of(plan):
    return list(range(plan["neurons"])) if plan["kept"] is None else plan["kept"]


def edit_encoder(layer, plan) -> None:
    norm = layer.output.LayerNorm
    constant = constant_of(plan)
    if plan["kept"] == []:
        layer.feed_forward_chunk = lambda x: norm(x + constant)
        return
    kept = kept_of(plan)
    inner, outer = layer.intermediate, layer.output.dense

    def mlp(x):
        a = inner(x)[..., kept]
        h = plan["gate"] * (a @ outer.weight[:, kept].T + outer.bias) + constant
        return norm(x + h)

    layer.feed_forward_chunk = mlp


def edit_t5(layer, plan) -> None:
    constant, kept = constant_of(plan), kept_of(plan)
    mlp, norm = layer.DenseReluDense, layer.layer_norm

    def forward(x, *_, **__):
        if not kept:
            return x + constant
        normed = norm(x)
        if hasattr(mlp, "wi_0"):
            a = mlp.act(mlp.wi_0(normed))[..., kept] * mlp.wi_1(normed)[..., kept]
        else:
            a = mlp.act(mlp.wi(normed))[..., kept]
        return x + plan["gate"] * (a @ mlp.wo.weight[:, kept].T) + constant

    layer.forward = forward


def run(folder, plan_file, inputs_file) -> dict:
    inputs = json.load(open(inputs_file))
    plans = None if plan_file == "-" else json.load(open(plan_file))["layers"]
    is_t5 = AutoConfig.from_pretrained(folder).model_type == "t5"
    loader = AutoModelForSeq2SeqLM if is_t5 else AutoModelForSequenceClassification
    model, report = loader.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    wrong = {name: found for name, found in report.items() if found and name != "unexpected_keys"}
    assert not wrong, wrong
    for module in model.modules():
        # where the processor can, bitsandbytes would compute in bfloat16
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    if plans is not None:
        if is_t5:
            layers = [block.layer[-1] for block in [*model.encoder.block, *model.decoder.block]]
        else:
            layers = model.base_model.encoder.layer
        for layer, plan in zip(layers, plans, strict=True):
            (edit_t5 if is_t5 else edit_encoder)(layer, plan)
    length = inputs.pop("maxNewTokens", 0)
    tensors = {name: torch.tensor(rows) for name, rows in inputs.items()}
    with torch.inference_mode():
        result = {"logits": model(**tensors).logits.tolist()}
        if is_t5:
            texts = model.generate(
                input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"],
                max_new_tokens=length, num_beams=1, do_sample=False,
            )  # fmt: skip
            result["texts"] = texts[:, 1:].tolist()
    return result


for at in range(1, len(sys.argv), 3):
    print(json.dumps(run(*sys.argv[at : at + 3])))
