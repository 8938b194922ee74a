"""Reference records of the three hard cases of the hook interface; CLI and format as in encoders.py.

    hooks.py --out DIR [--case PATTERN] [--golden]

Methods, beside the keys of encoders.py:
    {kind: "prompt-tuning", numVirtualTokens P}, trainable `prompt_embeddings` [P, D]; virtualTokens is P, so `attended`
        leaves the virtual positions out, while `all` and `paper` count them. What peft really does: word embeddings
        become cat(prompt, word_embeddings(input_ids)), the attention mask gets P ones in front, token types P zeros.
        The model then sees no ids: RoBERTa numbers positions pad_token_id + 1 … pad_token_id + P + S straight through
        (padding as well), BERT 0 … P + S − 1. The head reads position 0, which is the first virtual token.
    {kind: "prefix-tuning", numVirtualTokens P}, trainable `prompt_embeddings` [P, L · 2 · D]: viewed as
        [P, 2 · L, H, K], entry 2l the keys and 2l + 1 the values of layer l, put in front of the layer's own keys and
        values; the attention mask gets P ones in front. Positions move up by P: BERT P … P + S − 1, RoBERTa
        pad_token_id + P + (running count of non-padding tokens), pad_token_id at padding. Taps keep S positions.
    {kind: "skip-mlp", layers[], lora: {…}}: the listed layers end in `output.LayerNorm(attention output)`; they give
        no tap and do not count in the mean over layers. LoRA on query and value is trained.
"""

import argparse
import dataclasses
import functools
import pathlib

import torch
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model

import encoders
from reference import Build, seeded, trainables_of, write_record

CASES = (
    "roberta-gelu.prompt-tuning", "bert-gelu.prompt-tuning", "roberta-relu.prompt-tuning",
    "bert-gelu.prefix-tuning", "roberta-gelu.prefix-tuning", "bert-relu.prefix-tuning",
    "bert-gelu.skip-mlp", "bert-relu.skip-mlp", "roberta-relu.skip-mlp",
)  # fmt: skip
GOLDEN = ("roberta-gelu.prompt-tuning", "bert-gelu.prefix-tuning", "bert-gelu.skip-mlp")
PROMPT_TOKENS, PREFIX_TOKENS = 5, 3


def with_virtual_tokens(model, config, method: str, name: str) -> Build:
    model = get_peft_model(model, config)
    with torch.no_grad():
        p = model.prompt_encoder["default"].embedding.weight
        p.copy_(torch.randn(p.shape, generator=seeded(f"{name}/prompt")) * 0.7)
    facts = {"kind": method, "numVirtualTokens": config.num_virtual_tokens}
    return Build(model, trainables_of(model), facts, config.num_virtual_tokens if method == "prompt-tuning" else 0)


def without_mlp(model, name: str) -> Build:
    build = encoders.with_lora(model, "lora-qv", name)
    layers = model.base_model.encoder.layer
    skipped = [len(layers) - 2]
    for i in skipped:
        layers[i].feed_forward_chunk = layers[i].output.LayerNorm.forward
    return dataclasses.replace(build, method={"kind": "skip-mlp", "layers": skipped, "lora": build.method})


def build(folder: pathlib.Path, method: str, name: str) -> Build:
    model = encoders.load(folder)
    encoders.restart_head(model, name)
    if method == "skip-mlp":
        return without_mlp(model, name)
    if method == "prompt-tuning":
        config = PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=PROMPT_TOKENS)
    else:
        config = PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=PREFIX_TOKENS)
    return with_virtual_tokens(model, config, method, name)


def main():
    parser = argparse.ArgumentParser(description="reference records of the hard hook cases")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--case", action="append", help="a name or a pattern; may be repeated")
    parser.add_argument("--golden", action="store_true", help="the committed selection, without activations")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in encoders.select(list(GOLDEN if options.golden else CASES), options.case):
        variant, method = name.split(".")
        case = encoders.tiny_case(options.out, name, options.golden)
        case.build = functools.partial(build, options.out / "checkpoints" / variant, method, name)
        write_record(options.out, case)
        print(name, flush=True)


if __name__ == "__main__":
    main()
