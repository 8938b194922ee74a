"""Masks of pruning by the formulas of Wanda's public code (github.com/locuslab/wanda, lib/prune.py), in PyTorch.

    wanda.py golden --out FILE                         a small matrix with ties, and masks by every recipe of RECIPES
    wanda.py live --base DIR --ids FILE --recipe TEXT  the masks of a whole model, block after block; printed as JSON

FILE of `live` holds {"ids": [[…]], "mask": [[…]]}, for T5 "labels" too; only attended tokens count. Masks are lists of 0 and 1, 1 where a
weight becomes zero, row-major. N:M is written as in deft: N of each M inputs stay.
"""

import argparse
import json
import pathlib

import torch
import transformers

transformers.logging.set_verbosity_error()
RECIPES = ["wanda:0.5", "wanda:0.3", "wanda:0.9", "wanda:2:4", "wanda:4:8", "magnitude:0.5", "magnitude:0.3", "magnitude:2:4"]


class InputNorm:
    """`WrappedGPT`: the mean over samples of each input feature's squared norm."""

    def __init__(self, columns):
        self.scaler_row = torch.zeros(columns)
        self.nsamples = 0

    def add_batch(self, tokens, samples):
        tokens = tokens.t()
        self.scaler_row *= self.nsamples / (self.nsamples + samples)
        self.nsamples += samples
        self.scaler_row += torch.norm(tokens.float(), p=2, dim=1) ** 2 / self.nsamples


def mask_of(weight, recipe, scaler_row=None):
    name, *numbers = recipe.split(":")
    metric = weight.abs() if name == "magnitude" else weight.abs() * torch.sqrt(scaler_row.reshape((1, -1)))
    mask = torch.zeros_like(metric) == 1
    if len(numbers) == 2:
        kept, group = map(int, numbers)
        for start in range(0, metric.shape[1], group):
            part = metric[:, start : start + group].float()
            # topk's order among equals is not defined; a stable sort's is
            lowest = torch.sort(part, dim=1, stable=True)[1][:, : part.shape[1] - kept]
            mask.scatter_(1, start + lowest, True)
    elif name == "wanda":
        order = torch.sort(metric, dim=-1, stable=True)[1]
        mask.scatter_(1, order[:, : int(metric.shape[1] * float(numbers[0]))], True)
    else:
        order = torch.sort(metric.flatten(), stable=True)[1]
        mask.view(-1)[order[: int(metric.numel() * float(numbers[0]))]] = True
    return mask


def flat(mask):
    return mask.int().flatten().tolist()


def golden(arguments):
    generator = torch.Generator().manual_seed(7)
    weight = torch.randn(6, 16, generator=generator)
    # ties within rows, zeros, and a whole row of equals
    weight[1, ::2] = weight[1, 0]
    weight[2] = 0.5
    weight[3, 4:9] = 0.0
    batches = [torch.randn(5, 16, generator=generator), 3 * torch.randn(3, 16, generator=generator)]
    for batch in batches:
        batch[:, 2] = batch[:, 3]
        batch[:, 7] = 0.0
    norm = InputNorm(16)
    for batch in batches:
        norm.add_batch(batch, 1)
    result = {
        "weight": weight.flatten().tolist(),
        "inputs": [batch.flatten().tolist() for batch in batches],
        "norms": torch.sqrt(norm.scaler_row).tolist(),
        "masks": {recipe: flat(mask_of(weight, recipe, norm.scaler_row)) for recipe in RECIPES},
    }
    arguments.out.write_text(json.dumps(result) + "\n")


def live(arguments):
    batch = json.loads(arguments.ids.read_text())
    ids, attended = torch.tensor(batch["ids"]), torch.tensor(batch["mask"])
    feeds = {"input_ids": ids, "attention_mask": attended}
    if "labels" in batch:
        model = transformers.AutoModelForSeq2SeqLM.from_pretrained(arguments.base, local_files_only=True).eval()
        feeds["labels"] = torch.tensor(batch["labels"])
        blocks = [(f"{stack}.block.{i}", b) for stack in ("encoder", "decoder")
                  for i, b in enumerate(getattr(model, stack).block)]  # fmt: skip
    else:
        kind = transformers.AutoModelForSequenceClassification
        model = kind.from_pretrained(arguments.base, local_files_only=True).eval()
        prefix = f"{model.base_model_prefix}.encoder.layer"
        blocks = [(f"{prefix}.{i}", b) for i, b in enumerate(model.base_model.encoder.layer)]
    masks = {}
    for path, block in blocks:
        norms, handles = {}, []
        layers = {name: m for name, m in block.named_modules() if isinstance(m, torch.nn.Linear)}
        for name, layer in layers.items():
            norms[name] = InputNorm(layer.in_features)
            # keys and values of cross-attention read the encoder
            of_text = not path.startswith("decoder") or ("EncDecAttention" in name and name[-1] in "kv")
            counted = attended.bool() if of_text else feeds["labels"] != -100

            def hook(_module, inputs, _output, norm=norms[name], counted=counted):
                norm.add_batch(inputs[0][counted], len(ids))

            handles.append(layer.register_forward_hook(hook))
        with torch.no_grad():
            model(**feeds)
            for handle in handles:
                handle.remove()
            for name, layer in layers.items():
                mask = mask_of(layer.weight, arguments.recipe, norms[name].scaler_row)
                layer.weight[mask] = 0
                masks[f"{path}.{name}.weight"] = flat(mask)
    print(json.dumps(masks))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["golden", "live"])
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--base", type=pathlib.Path)
    parser.add_argument("--ids", type=pathlib.Path)
    parser.add_argument("--recipe")
    arguments = parser.parse_args()
    {"golden": golden, "live": live}[arguments.job](arguments)


if __name__ == "__main__":
    main()
