"""A standard ONNX export of a classifier, to compare ours with: torch.onnx.export, onnxruntime's transformer optimizer, and its dynamic int8.

    standard-export.py MODEL_FOLDER OUTPUT_FOLDER

Writes OUTPUT_FOLDER/onnx/model.onnx, model_optimized.onnx and model_quantized.onnx beside the model's config and tokenizer, as the conversion scripts of
optimum and Transformers.js lay them out. Needs onnx, onnxscript and onnxruntime beside PyTorch and transformers.
"""

import pathlib
import shutil
import sys

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from transformers import AutoModelForSequenceClassification

source, output = map(pathlib.Path, sys.argv[1:])
(output / "onnx").mkdir(parents=True, exist_ok=True)
for file in source.iterdir():
    if file.suffix in (".json", ".txt"):
        shutil.copy(file, output / file.name)
model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


names = ("input_ids", "attention_mask", "token_type_ids")
ids = torch.randint(5, 50, (2, 9))
example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
dims = {0: "batch_size", 1: "sequence_length"}
torch.onnx.export(
    Logits(model), example, str(output / "onnx/model.onnx"), input_names=list(names), output_names=["logits"],
    dynamic_axes={name: dims for name in names} | {"logits": {0: "batch_size"}}, opset_version=17, dynamo=False,
)  # fmt: skip
config = model.config
optimize_model(
    str(output / "onnx/model.onnx"), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
).save_model_to_file(str(output / "onnx/model_optimized.onnx"))  # fmt: skip
quantize_dynamic(
    output / "onnx/model.onnx", output / "onnx/model_quantized.onnx",
    weight_type=QuantType.QInt8, per_channel=True, reduce_range=True, extra_options={"EnableSubgraph": True},
)  # fmt: skip
