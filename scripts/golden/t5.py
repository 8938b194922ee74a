"""Reference records of T5 v1.0 and v1.1 (Flan) and of mT5 with every method, by PyTorch, transformers and peft.

    t5.py --out DIR [--case PATTERN] [--golden] [--list]
    t5.py --out DIR --checkpoint MODEL [--case PATTERN]   the core methods on a T5 folder, as cases `checkpoint.<method>`

CLI and format as in encoders.py, but for:
    batch/<i>/labels      [B, T] int64, −100 where there is none; no token_type_ids
    forward/logits        [B, T, V]
    problem               language_modeling: cross entropy, mean over label tokens
    taps                  `….DenseReluDense`, encoder first; the decoder's attended positions are those with a label, and
                          the density loss is the encoder's mean plus the decoder's
    method                lora targets q and v, or peft's "all-linear", which leaves lm_head out; adapters behind each MLP,
                          sites `….layer.1` and in the decoder `….layer.2`: `x + h + U·relu(D·(x + h))` (Pfeiffer), and
                          Houlsby's `x + h + U·silu(D·h)` behind self-attention too; head: lm_head, where it is untied;
                          {kind: "prompt", virtualTokens P}: peft's rows in front of the encoder's words alone, of whose
                          stored [2 · P, D] it reads the first P, our `prompt_embeddings`;
                          {kind: "prefix", virtualTokens P, projection, projectionSize M}: P keys and values in front of
                          those of every attention (encoder self, decoder self, cross), with no relative bias, since peft
                          has them in the decoder's self-attention alone; `<site>.prefix_key` and `.prefix_value`
                          [P, H · K], or as in hooks.py made by an MLP whose E is [P, H · K]

The padding row of T5's embeddings is trained as any other. In float64 T5's norm still sums squares in float32.
"""

import argparse
import dataclasses
import functools
import os
import pathlib
import types
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import safetensors
import torch
import transformers
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from torch import nn
from transformers.activations import ACT2FN

from encoders import mask_safe, prune, select
from reference import Build, Case, seeded, trainables_of, write_record

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore", message=".*tied.*")

TINY = {
    "vocab_size": 60,
    "d_model": 24,
    "d_kv": 5,
    "d_ff": 40,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 9,
    "dropout_rate": 0.0,
    "decoder_start_token_id": 0,
}
MT5 = {"feed_forward_proj": "gated-gelu", "num_layers": 1, "num_decoder_layers": 1, "d_model": 16, "d_ff": 24}
CORE = ("lora-qv", "lora-all", "adapter-pfeiffer", "full")
VIRTUAL = ("prompt-tuning", "prefix-tuning", "prefix-projection")
VARIANTS = {
    "t5-v10": ({}, (*CORE, "adapter-houlsby", *VIRTUAL)),
    "t5-v11": (
        {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, (*CORE, "adapter-houlsby", "head", *VIRTUAL)
    ),
    "t5-silu": ({"feed_forward_proj": "gated-silu"}, ("lora-qv", "full")),
    "t5-untied": ({"tie_word_embeddings": False}, ("adapter-pfeiffer", "full")),
    "t5-deep": (
        {
            "num_layers": 1, "num_decoder_layers": 3, "num_heads": 2, "d_kv": 16, "layer_norm_epsilon": 1e-3,
            "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
        },
        (*CORE, *VIRTUAL),
    ),
    "t5-pruned": ({"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, ("lora-mask-safe",)),
    "mt5-gelu": (MT5, (*CORE, "adapter-houlsby")),
    "mt5-untied": (MT5, ("lora-qv", "head", "full")),
    "t5-start": ({"decoder_start_token_id": 2, "pad_token_id": 3}, ("lora-qv", "full")),
}  # fmt: skip
GOLDEN = (
    "t5-v10.lora-qv", "t5-v10.full", "t5-v11.adapter-pfeiffer", "t5-v11.full", "t5-v10.prompt-tuning",
    "t5-v11.prefix-tuning", "mt5-gelu.lora-qv", "mt5-gelu.lora-all", "mt5-gelu.adapter-pfeiffer", "mt5-untied.head",
    "mt5-untied.full",
)  # fmt: skip
PROMPT_TOKENS, PREFIX_TOKENS, PROJECTION_SIZE = 5, 3, 7


@torch.no_grad()
def randomise(model: nn.Module, generator: torch.Generator, spread: float = 1.0) -> None:
    """Random weights of a trained model's sizes; scores without 1/√K want smaller queries."""
    width = model.config.d_kv
    for name, p in model.named_parameters():
        normal = torch.randn(p.shape, generator=generator)
        if "layer_norm" in name:
            p.copy_(1 + normal * 0.2)
        elif "relative_attention_bias" in name:
            p.copy_(normal * 0.5)
        elif name == "shared.weight":
            p.copy_(normal * 0.7)
        else:
            std = p.shape[1] ** -0.5 * (width**-0.25 if name.endswith((".q.weight", ".k.weight")) else 1.0)
            p.copy_(normal * std * spread)


def make_checkpoint(name: str, config: dict, folder: pathlib.Path) -> None:
    kind = "MT5" if name.startswith("mt5-") else "T5"
    config = getattr(transformers, f"{kind}Config")(**TINY | config)
    model = getattr(transformers, f"{kind}ForConditionalGeneration")(config)
    if name == "mt5-untied" or not getattr(config, "scale_decoder_outputs", True):
        # transformers ties every new T5: only a checkpoint with two tables is untied
        model.lm_head.weight = nn.Parameter(torch.empty_like(model.shared.weight))
    randomise(model, seeded(name))
    if name == "t5-pruned":
        prune(model)
    model.save_pretrained(folder)


def load(folder: pathlib.Path) -> nn.Module:
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return model.requires_grad_(False).eval()


def with_lora(model: nn.Module, method: str, name: str) -> Build:
    targets = ["q", "v"] if method == "lora-qv" else "all-linear"
    config = LoraConfig(task_type="SEQ_2_SEQ_LM", r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets)
    model = get_peft_model(model, config)
    generator = seeded(f"{name}/lora")
    sites = []
    with torch.no_grad():
        for path, module in model.named_modules():
            if not hasattr(module, "lora_A"):
                continue
            sites.append(path.removeprefix("base_model.model."))
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
            a.copy_(torch.randn(a.shape, generator=generator) * a.shape[1] ** -0.5)
            b.copy_(torch.randn(b.shape, generator=generator) * 0.1)
            scaling = module.scaling["default"]
    facts = {
        "kind": "lora", "rank": config.r, "alpha": config.lora_alpha, "dropout": 0, "rslora": False, "bias": "none",
        "targets": targets, "sites": sites, "scaling": scaling,
    }  # fmt: skip
    return Build(model, trainables_of(model), facts)


class Adapted(nn.Module):
    """A T5LayerFF or T5LayerSelfAttention with AdapterHub's bottleneck on what it adds to its input."""

    def __init__(self, layer: nn.Module, hidden: int, bottleneck: int, act: str, of_sum: bool):
        super().__init__()
        self.adapted = layer
        self.adapter_down = nn.Linear(hidden, bottleneck)
        self.adapter_up = nn.Linear(bottleneck, hidden)
        self.act, self.of_sum = ACT2FN[act], of_sum

    def forward(self, hidden_states, **kwargs):
        output = self.adapted(hidden_states, **kwargs)
        total = output[0] if isinstance(output, tuple) else output
        z = total if self.of_sum else total - hidden_states
        total = total + self.adapter_up(self.act(self.adapter_down(z)))
        return (total, *output[1:]) if isinstance(output, tuple) else total


ADAPTER = {"adapter-pfeiffer": ("pfeiffer", "relu", True), "adapter-houlsby": ("houlsby", "swish", False)}


def with_adapter(model: nn.Module, method: str, name: str) -> Build:
    style, act, of_sum = ADAPTER[method]
    factor, generator, sites = (6 if model.config.d_model == 24 else 4), seeded(f"{name}/adapter"), []
    for stack in ("encoder", "decoder"):
        for i, block in enumerate(getattr(model, stack).block):
            last = len(block.layer) - 1
            for j in (0, last) if style == "houlsby" else (last,):
                adapted = Adapted(block.layer[j], model.config.d_model, model.config.d_model // factor, act, of_sum)
                with torch.no_grad():
                    for linear in (adapted.adapter_down, adapted.adapter_up):
                        for p, std in ((linear.weight, linear.weight.shape[1] ** -0.5), (linear.bias, 0.2)):
                            p.copy_(torch.randn(p.shape, generator=generator) * std * 0.5)
                block.layer[j] = adapted
                sites.append(f"{stack}.block.{i}.layer.{j}")
    facts = {
        "kind": "adapter", "style": style, "reductionFactor": factor, "nonLinearity": act, "originalLnBefore": of_sum,
        "sites": sites,
    }  # fmt: skip
    return Build(model, trainables_of(model), facts)


def with_prompt(model: nn.Module, name: str) -> Build:
    model = get_peft_model(model, PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=PROMPT_TOKENS))
    rows = model.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        rows.copy_(torch.randn(rows.shape, generator=seeded(f"{name}/prompt")) * 0.7)
    facts = {"kind": "prompt", "virtualTokens": PROMPT_TOKENS}
    # peft keeps as many for the decoder, and never reads them
    parts = lambda part, value: {part: value[:PROMPT_TOKENS]}  # noqa: E731
    return Build(model, trainables_of(model), facts, PROMPT_TOKENS, parts)


def prefixed_forward(rows, self, hidden_states, mask=None, key_value_states=None, position_bias=None, **_):
    """T5Attention.forward over more keys: those of `rows(self)` in front, attended by all and with no bias."""
    states = hidden_states if key_value_states is None else key_value_states
    batch = states.shape[0]

    def heads(x):
        return x.view(x.shape[0], -1, self.n_heads, self.key_value_proj_dim).transpose(1, 2)

    before = [heads(x.unsqueeze(0)).expand(batch, -1, -1, -1) for x in rows(self)]
    key, value = (torch.cat([p, heads(x)], dim=2) for p, x in zip(before, (self.k(states), self.v(states)), strict=True))
    if position_bias is None:
        lengths = hidden_states.shape[1], states.shape[1]
        if self.has_relative_attention_bias:
            position_bias = self.compute_bias(*lengths)
        else:
            position_bias = hidden_states.new_zeros(1, self.n_heads, *lengths)
    bias = position_bias if mask is None else position_bias + mask
    scores = heads(self.q(hidden_states)) @ key.transpose(2, 3) + nn.functional.pad(bias, (before[0].shape[2], 0))
    context = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
    return self.o(context), position_bias, None


def with_prefix(model: nn.Module, name: str, projection_size: int | None) -> Build:
    width = model.config.num_heads * model.config.d_kv
    attentions = [m for n, m in model.named_modules() if n.endswith(("SelfAttention", "EncDecAttention"))]
    if projection_size:
        model.prefix_embedding = nn.Parameter(torch.empty(PREFIX_TOKENS, width))
        model.prefix_hidden = nn.Linear(width, projection_size)
    for attention in attentions:
        for part in ("prefix_key", "prefix_value"):
            own = nn.Linear(projection_size, width) if projection_size else nn.Parameter(torch.empty(PREFIX_TOKENS, width))
            setattr(attention, part, own)

    def rows(attention):
        if not projection_size:
            return attention.prefix_key, attention.prefix_value
        hidden = torch.tanh(model.prefix_hidden(model.prefix_embedding))
        return attention.prefix_key(hidden), attention.prefix_value(hidden)

    for attention in attentions:
        attention.forward = types.MethodType(functools.partial(prefixed_forward, rows), attention)
    generator = seeded(f"{name}/prefix")
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "prefix_" in n:
                std = p.shape[-1] ** -0.5 if n.endswith(".weight") else 0.7
                p.copy_(torch.randn(p.shape, generator=generator) * std)
                p.requires_grad_(True)
    facts = {"kind": "prefix", "virtualTokens": PREFIX_TOKENS, "projection": bool(projection_size)}
    return Build(model, trainables_of(model), facts | {"projectionSize": projection_size})


def build(folder: pathlib.Path, method: str, name: str) -> Build:
    model = load(folder)
    if method.startswith("lora"):
        build = with_lora(model, method, name)
        return mask_safe(build) if method == "lora-mask-safe" else build
    if method in ADAPTER:
        return with_adapter(model, method, name)
    if method == "prompt-tuning":
        return with_prompt(model, name)
    if method.startswith("prefix-"):
        return with_prefix(model, name, PROJECTION_SIZE if method == "prefix-projection" else None)
    if method == "full":
        model.requires_grad_(True)
    else:
        model.lm_head.requires_grad_(True)
    return Build(model, trainables_of(model), {"kind": method})


def random_batches(config, name: str) -> list[dict[str, torch.Tensor]]:
    """Four batches: unequal lengths, padding inside and on the left, without padding, and a single example."""
    generator, batches = seeded(f"{name}/batches"), []
    shapes = [([13, 7, 4, 9], [5, 8, 2, 6]), ([8, 5, 11], [3, 7, 7]), ([6, 6, 6, 6], [4, 4, 4, 4]), ([5], [1])]
    for number, (lengths, targets) in enumerate(shapes):
        ids = torch.full((len(lengths), max(lengths)), config.pad_token_id)
        mask = torch.zeros_like(ids)
        labels = torch.full((len(targets), max(targets)), -100)
        for row, (length, target) in enumerate(zip(lengths, targets, strict=True)):
            place = slice(-length, None) if number == 1 else slice(0, length)
            ids[row, place] = torch.randint(4, config.vocab_size, (length,), generator=generator)
            mask[row, place] = 1
            labels[row, :target] = torch.randint(0, config.vocab_size, (target,), generator=generator)
        batches.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return batches


def stored_tensors(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    names = set()
    for file in folder.glob("*.safetensors"):
        with safetensors.safe_open(file, "pt") as opened:
            names |= set(opened.keys())
    return {n: p.detach() for n, p in load(folder).named_parameters() if n in names}


def tiny_case(out: pathlib.Path, name: str, golden: bool) -> Case:
    variant, method = name.split(".")
    folder = out / "checkpoints" / variant
    if not (folder / "config.json").exists():
        make_checkpoint(variant, VARIANTS[variant][0], folder)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    case = Case(
        name=name,
        build=functools.partial(build, folder, method, name),
        batches=random_batches(config, variant),
        checkpoint=f"checkpoints/{variant}",
        stored=stored_tensors(folder),
        learning_rate=1e-3 if method == "full" else 5e-3,
    )
    if golden:
        kept = {"training": ("attended-1e-2",), "gradients": ("attended-1e-2",), "activations": False}
        case = dataclasses.replace(case, **kept)
    return case


def real_case(folder: pathlib.Path, method: str) -> Case:
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    name = f"checkpoint.{method}"
    return Case(
        name=name,
        build=functools.partial(build, folder, method, name),
        batches=random_batches(config, "checkpoint"),
        checkpoint=None,
        stored=stored_tensors(folder),
        learning_rate=5e-3,
        training=("attended-1e-2",),
        activations=False,
    )


def main():
    parser = argparse.ArgumentParser(description="reference records of T5")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--case", action="append", help="a name or a pattern; may be repeated")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="a T5 folder of any make")
    parser.add_argument("--golden", action="store_true", help="the committed selection, without activations")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.checkpoint:
        names = [f"checkpoint.{method}" for method in CORE]
    elif options.golden:
        names = list(GOLDEN)
    else:
        names = [f"{variant}.{method}" for variant, (_, methods) in VARIANTS.items() for method in methods]
    names = select(names, options.case)
    if options.list:
        print("\n".join(names))
        return
    if options.out is None:
        parser.error("--out is needed")
    for name in names:
        if options.checkpoint:
            case = real_case(options.checkpoint, name.split(".")[1])
        else:
            case = tiny_case(options.out, name, options.golden)
        write_record(options.out, case)
        print(name, flush=True)


if __name__ == "__main__":
    main()
