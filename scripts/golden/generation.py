"""What transformers' `generate` writes on tiny random T5s, for prompts of many lengths, in batches.

    generation.py --out DIR [--prompts N] [--golden]

Written: the checkpoints as in t5.py, and `DIR/generation.json`:
    cases[]   {checkpoint, name, options (ours, camelCase), batches[] of prompts (token ids, padded on the right here),
              texts[example][return]: new token ids up to the one that ends it, scores (beams) alike,
              ties[]: examples that float64 writes otherwise: only rounding decides there}
    warpers[] {temperature, topK, topP, logits, probabilities}: what transformers' logits warpers leave of a row
"""

import argparse
import json
import pathlib
import re

import torch
import transformers
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

import t5
from reference import seeded, versions

EOS = 1
OPTIONS = {
    "greedy": {"maxNewTokens": 16},
    "greedy-min": {"maxNewTokens": 12, "minNewTokens": 6},
    "beam-4": {"maxNewTokens": 16, "numBeams": 4},
    "beam-4-early": {"maxNewTokens": 14, "numBeams": 4, "lengthPenalty": 2.0, "earlyStopping": True,
                     "numReturnSequences": 3},
    "beam-3-never": {"maxNewTokens": 10, "minNewTokens": 3, "numBeams": 3, "lengthPenalty": 0.6,
                     "earlyStopping": "never", "numReturnSequences": 2},
    "beam-2-short": {"maxNewTokens": 9, "numBeams": 2, "lengthPenalty": -1.0},
}  # fmt: skip
# what transformers' logits processors do, alone and together; compared live, not committed
RULES = {
    "rule-repetition": {"repetitionPenalty": 1.6},
    "rule-repetition-low": {"repetitionPenalty": 0.7},
    "rule-no-repeat": {"noRepeatNgramSize": 2},
    "rule-no-repeat-1": {"noRepeatNgramSize": 1},
    "rule-encoder-repetition": {"encoderRepetitionPenalty": 1.8},
    "rule-encoder-no-repeat": {"encoderNoRepeatNgramSize": 2},
    "rule-bad-words": {"badWordsIds": [[7], [9, 11], [5, 5], [1], [0, 6], [12, 13, 14]]},
    "rule-bias": {"sequenceBias": [[[8], 3.0], [[10, 4], 5.0], [[6], -2.5]]},
    "rule-forced": {"forcedBosTokenId": 9, "forcedEosTokenIds": [1]},
    "rule-suppress": {"suppressTokens": [4, 6, 8], "beginSuppressTokens": [5, 7, 1]},
    "rule-suppress-behind": {"forcedBosTokenId": 3, "beginSuppressTokens": [5, 7, 9, 11]},
    "rule-decay": {"exponentialDecayLengthPenalty": [3, 1.4]},
    "rule-all": {
        "sequenceBias": [[[8], 2.0]], "repetitionPenalty": 1.2, "noRepeatNgramSize": 3, "badWordsIds": [[7], [9, 11]],
        "forcedBosTokenId": 5, "forcedEosTokenIds": [1], "exponentialDecayLengthPenalty": [4, 1.2],
        "suppressTokens": [6], "beginSuppressTokens": [10], "renormalizeLogits": True,
    },
}  # fmt: skip
for name, rules in RULES.items():
    OPTIONS[name] = {"maxNewTokens": 12, "minNewTokens": 2, "rules": rules}
    OPTIONS[f"{name}-beams"] = {"maxNewTokens": 10, "numBeams": 3, "lengthPenalty": 0.8, "rules": rules}
OPTIONS["special"] = {"maxNewTokens": 12, "numBeams": 2, "special": {"startId": 4, "endIds": [1, 6, 9]}}
THEIRS = {
    "maxNewTokens": "max_new_tokens", "minNewTokens": "min_new_tokens", "numBeams": "num_beams",
    "lengthPenalty": "length_penalty", "earlyStopping": "early_stopping", "numReturnSequences": "num_return_sequences",
    "forcedEosTokenIds": "forced_eos_token_id", "startId": "decoder_start_token_id", "endIds": "eos_token_id",
}  # fmt: skip
# with more decoder than encoder layers transformers 5.23 fails: its cache counts the encoder's
VARIANTS = ("t5-v10", "t5-v11", "t5-silu")


@torch.no_grad()
def make_checkpoint(variant: str, folder: pathlib.Path) -> None:
    """A tiny T5 whose texts vary with the prompt and come to an end: random ones say one word for ever."""
    t5.make_checkpoint(variant, t5.VARIANTS[variant][0], folder)
    model, generator = t5.load(folder), seeded(f"{variant}/lively")
    norm = model.decoder.final_layer_norm.weight
    norm.copy_(norm * torch.randn(norm.shape, generator=generator).sign() * 3)
    for block in model.decoder.block:
        block.layer[0].SelfAttention.o.weight.mul_(4)
        block.layer[1].EncDecAttention.o.weight.mul_(4)
        block.layer[2].DenseReluDense.wo.weight.mul_(3)
        block.layer[1].EncDecAttention.q.weight.mul_(2)
    model.decoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.mul_(4)
    model.lm_head.weight[EOS].mul_(2.5 if variant == "t5-v11" else -3)
    model.save_pretrained(folder)


def prompts_for(name: str, count: int, vocabulary: int) -> list[list[int]]:
    generator = seeded(f"{name}/prompts")
    lengths = torch.randint(1, 24, (count,), generator=generator).tolist()
    return [torch.randint(4, vocabulary, (length,), generator=generator).tolist() for length in lengths]


def batches_of(prompts: list[list[int]]) -> list[list[list[int]]]:
    """Batches of 1 to 8 in turn."""
    batches, at, size = [], 0, 1
    while at < len(prompts):
        batches.append(prompts[at : at + size])
        at, size = at + size, size % 8 + 1
    return batches


def theirs(options: dict) -> dict:
    """Our options as arguments of `generate`."""
    flat = {**options, **options.get("rules", {}), **options.get("special", {})}
    snake = {key: THEIRS.get(key, re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", key)) for key in flat}
    return {snake[key]: value for key, value in flat.items() if key not in ("rules", "special")}


def cut(row: list[int], ends: list[int]) -> list[int]:
    """New tokens up to the one that ends the text."""
    row = row[1:]
    at = [i for i, token in enumerate(row) if token in ends]
    return row[: at[0] + 1] if at else row


@torch.no_grad()
def write(model, batches, options: dict) -> tuple[list, list]:
    texts, scores = [], []
    for batch in batches:
        length = max(map(len, batch))
        ids = torch.tensor([row + [0] * (length - len(row)) for row in batch])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in batch])
        out = model.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, return_dict_in_generate=True, output_scores=True,
            **theirs(options),
        )  # fmt: skip
        each = options.get("numReturnSequences", 1)
        rows = [cut(row, options.get("special", {}).get("endIds", [EOS])) for row in out.sequences.tolist()]
        texts += [rows[i : i + each] for i in range(0, len(rows), each)]
        if options.get("numBeams", 1) > 1:
            flat = out.sequences_scores.tolist()
            scores += [flat[i : i + each] for i in range(0, len(flat), each)]
    return texts, scores


def case(folder: pathlib.Path, variant: str, name: str, count: int) -> dict:
    options = OPTIONS[name]
    model = t5.load(folder / "checkpoints" / variant)
    prompts = prompts_for(f"{variant}/{name}", count, model.config.vocab_size)
    # rules about the text that is read see its padding too: alone it has none
    batches = [[prompt] for prompt in prompts] if "encoder" in name else batches_of(prompts)
    texts, scores = write(model, batches, options)
    exact, _ = write(model.double(), batches, options)
    ties = [i for i, (a, b) in enumerate(zip(texts, exact, strict=True)) if a != b]
    distinct = len({json.dumps(t) for t in texts})
    ended = sum(EOS in row for rows in texts for row in rows) / sum(map(len, texts))
    print(f"{variant} {name}: {len(texts)} prompts, {distinct} distinct, {ended:.0%} ended, {len(ties)} ties", flush=True)
    return {
        "checkpoint": f"checkpoints/{variant}", "name": name, "options": options, "batches": batches,
        "texts": texts, "scores": scores, "ties": ties,
    }  # fmt: skip


def warpers() -> list[dict]:
    made, generator = [], seeded("warpers")
    for temperature, top_k, top_p in ((1.0, None, 1.0), (0.7, None, 1.0), (1.0, 5, 1.0), (1.0, None, 0.8), (1.5, 7, 0.6),
                                      (0.3, 1, 0.5), (2.0, 50, 0.01)):  # fmt: skip
        logits = torch.randn(1, 20, generator=generator) * 2
        logits[0, 3] = logits[0, 4]
        chain = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
        if top_k is not None:
            chain.append(TopKLogitsWarper(top_k))
        if top_p < 1:
            chain.append(TopPLogitsWarper(top_p))
        kept = chain(None, logits.clone()).softmax(-1)
        made.append({"temperature": temperature, "topK": top_k, "topP": top_p,
                     "logits": logits[0].tolist(), "probabilities": kept[0].tolist()})  # fmt: skip
    return made


def main():
    parser = argparse.ArgumentParser(description="reference texts of T5")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--golden", action="store_true", help="the committed selection")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    plan = [("t5-v10", "greedy", 12), ("t5-v11", "beam-4", 9), ("t5-v11", "beam-4-early", 6), ("t5-v10", "beam-3-never", 6)]
    if not options.golden:
        few = max(1, options.prompts // 4)
        plan = [(v, n, options.prompts if n in ("greedy", "beam-4") else few)
                for v in VARIANTS for n in OPTIONS if not n.startswith("rule")]  # fmt: skip
        plan += [("t5-v11", n, max(1, few // 3)) for n in OPTIONS if n.startswith("rule")]
    for variant in {v for v, _, _ in plan}:
        folder = options.out / "checkpoints" / variant
        if not (folder / "config.json").exists():
            make_checkpoint(variant, folder)
    record = {
        "cases": [case(options.out, *one) for one in plan], "warpers": warpers(), "versions": versions(),
    }  # fmt: skip
    (options.out / "generation.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
