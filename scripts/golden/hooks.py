"""Reference records of prompt and prefix tuning and of skipped MLPs; CLI and format as in encoders.py.

    hooks.py --out DIR [--case PATTERN] [--golden]

Methods, beside the keys of encoders.py:
    {kind: "prompt", virtualTokens P}, trainable `prompt_embeddings` [P, D]; the record's virtualTokens is P, so
        `attended` leaves the virtual positions out, while `all` and `paper` count them. What peft really does: word
        embeddings become cat(prompt, word_embeddings(input_ids)), the attention mask gets P ones in front, token types
        P zeros. The model then sees no ids: RoBERTa numbers positions pad_token_id + 1 … pad_token_id + P + S straight
        through (padding as well), BERT 0 … P + S − 1. The head reads position 0, which is the first virtual token.
    {kind: "prefix", virtualTokens P, projection: false}: peft's table [P, L · 2 · D], viewed as [P, 2 · L, H, K], entry
        2l the keys and 2l + 1 the values of layer l, is cut into our `<site>.prefix_key` and `<site>.prefix_value`
        [P, D], site `….attention.self`; they stand in front of the layer's own keys and values, and the attention mask
        gets P ones in front. Positions move up by P: BERT P … P + S − 1, RoBERTa pad_token_id + P + (running count of
        non-padding tokens), pad_token_id at padding. Taps keep S positions.
    {kind: "prefix", virtualTokens P, projection: true, projectionSize M}: the table is made by peft's MLP; trainables
        `prefix_embedding` [P, D], `prefix_hidden.weight|bias` [M, D] and, its last layer cut into sites,
        `<site>.prefix_key.weight|bias` and `<site>.prefix_value.weight|bias` [D, M].
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
    "bert-left.prompt-tuning", "roberta-left.prompt-tuning", "roberta-left.prefix-tuning",
    "roberta-gelu.prefix-projection", "bert-relu.prefix-projection", "bert-regression.prefix-projection",
    "bert-gelu.skip-mlp", "bert-relu.skip-mlp", "roberta-relu.skip-mlp",
)  # fmt: skip
GOLDEN = (
    "roberta-gelu.prompt-tuning", "bert-gelu.prefix-tuning", "roberta-gelu.prefix-projection", "bert-gelu.skip-mlp",
)  # fmt: skip
PROMPT_TOKENS, PREFIX_TOKENS, PROJECTION_SIZE = 5, 3, 20


def with_prompt(model, name: str) -> Build:
    config = PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=PROMPT_TOKENS)
    model = get_peft_model(model, config)
    restart(model, name)
    facts = {"kind": "prompt", "virtualTokens": PROMPT_TOKENS}
    return Build(model, trainables_of(model), facts, PROMPT_TOKENS)


def with_prefix(model, name: str, projection_size: int | None) -> Build:
    projection = {"prefix_projection": True, "encoder_hidden_size": projection_size} if projection_size else {}
    config = PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=PREFIX_TOKENS, **projection)
    backbone, layers, size = model.base_model_prefix, model.config.num_hidden_layers, model.config.hidden_size
    model = get_peft_model(model, config)
    restart(model, name)

    def by_site(value, end: str, axis: int):
        """Entry 2l are the keys and 2l + 1 the values of layer l."""
        sites = [f"{backbone}.encoder.layer.{i}.attention.self.prefix_{kind}{end}"
                 for i in range(layers) for kind in ("key", "value")]  # fmt: skip
        return dict(zip(sites, value.split(size, dim=axis), strict=True))

    def parts(name, value):
        end = name.rsplit(".", 1)[-1]
        if name == "prompt_embeddings":
            return {"prefix_embedding": value} if projection else by_site(value, "", 1)
        if name.startswith("prompt_encoder.default.transform.0."):
            return {f"prefix_hidden.{end}": value}
        if name.startswith("prompt_encoder.default.transform.2."):
            return by_site(value, f".{end}", 0)
        return {name: value}

    facts = {"kind": "prefix", "virtualTokens": PREFIX_TOKENS, "projection": bool(projection)}
    facts |= {"projectionSize": projection_size}
    return Build(model, trainables_of(model), facts, parts=parts)


@torch.no_grad()
def restart(model, name: str) -> None:
    """Starts that a test can tell from others, of a trained table's size."""
    generator = seeded(f"{name}/prompt")
    for p in model.prompt_encoder.parameters():
        p.copy_(torch.randn(p.shape, generator=generator) * (p.shape[-1] ** -0.5 if p.shape[0] > 5 else 0.7))


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
        return with_prompt(model, name)
    return with_prefix(model, name, PROJECTION_SIZE if method == "prefix-projection" else None)


def main():
    parser = argparse.ArgumentParser(description="reference records of virtual tokens and skipped MLPs")
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
