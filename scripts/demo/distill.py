"""Distil the demo encoder from all-MiniLM-L6-v2: half its layers, a pruned vocabulary, one pass over the corpus.

The two tokenizers cut words differently, so hidden states are compared word by word (mean over a word's pieces).

usage: distill.py --teacher FOLDER --student FOLDER --corpus FILE --held-out JSONL
(--student holds the tokenizer that vocabulary.py wrote; config.json and model.safetensors are added to it,
the agreement with the teacher on the held-out texts beside it)
"""

import argparse
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from transformers import AutoTokenizer, BertConfig, BertModel

SEED = 20240201
BATCH, BUCKET = 48, 64  # texts a step; batches whose texts are sorted by length together
RATE, WARMUP, CLIP = 6e-4, 0.05, 1.0


@dataclass
class Text:
    """Token ids of one text and, per token, the number of its word ([CLS] first, [SEP] last)."""

    ids: list[int]
    words: list[int]


def encode(tokenizer, texts: list[str], limit: int) -> list[Text | None]:
    """Every text as tokens and words; None where it is longer than `limit` tokens."""
    encoded = tokenizer(texts, add_special_tokens=True).encodings
    result: list[Text | None] = []
    for item in encoded:
        if len(item.ids) > limit:
            result.append(None)
            continue
        words, last, count = [], None, -1
        for word in item.word_ids:
            if word is None or word != last:
                count += 1
            words.append(count)
            last = word
        result.append(Text(item.ids, words))
    return result


@dataclass
class Batch:
    """ids, mask [B, S]; words [B, S]: row of each token among all words of the batch; count: number of those rows."""

    ids: Tensor
    mask: Tensor
    words: Tensor
    count: int


def collate(texts: list[Text]) -> Batch:
    length = max(len(text.ids) for text in texts)
    ids, mask, words = (torch.zeros(len(texts), length, dtype=torch.long) for _ in range(3))
    first = 0
    for row, text in enumerate(texts):
        size = len(text.ids)
        ids[row, :size] = torch.tensor(text.ids)
        mask[row, :size] = 1
        words[row, :size] = torch.tensor(text.words) + first
        first += text.words[-1] + 1
    return Batch(ids, mask, words, first)


def word_means(hidden: Tensor, batch: Batch) -> Tensor:
    """[B, S, D] → [words, D]: the mean of each word's pieces."""
    kept = batch.mask.bool()
    rows, values = batch.words[kept], hidden[kept]
    sums = torch.zeros(batch.count, hidden.shape[-1]).index_add(0, rows, values)
    sizes = torch.zeros(batch.count).index_add(0, rows, torch.ones(len(rows)))
    return sums / sizes[:, None]


def sentence_means(hidden: Tensor, batch: Batch) -> Tensor:
    """[B, S, D] → [B, D], unit length: the teacher's own pooling."""
    mask = batch.mask[..., None].float()
    return nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def load_teacher(folder: Path) -> BertModel:
    """The teacher in float32, evaluation mode."""
    return BertModel.from_pretrained(folder, dtype=torch.float32).eval()


def neurons(teacher: BertModel, layer: int, width: int) -> Tensor:
    """Indices of the `width` neurons with the largest product of input and output weight norms, in order."""
    block = teacher.encoder.layer[layer]
    weight = block.intermediate.dense.weight.norm(dim=1) * block.output.dense.weight.norm(dim=0)
    return weight.topk(width).indices.sort().values


def initialise(teacher: BertModel, tokens: list[int], layers: list[int], positions: int, width: int) -> BertModel:
    """A student whose layers, neurons and embedding rows are copies of the teacher's."""
    config = BertConfig(**{
        **{key: getattr(teacher.config, key) for key in (
            "hidden_size", "num_attention_heads", "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob",
            "initializer_range", "layer_norm_eps", "type_vocab_size", "pad_token_id")},
        "vocab_size": len(tokens), "max_position_embeddings": positions, "num_hidden_layers": len(layers),
        "intermediate_size": width,
    })  # fmt: skip
    student = BertModel(config)
    own = student.state_dict()
    kept = {layer: neurons(teacher, layer, width) for layer in layers}
    for name, tensor in teacher.state_dict().items():
        parts = name.split(".")
        if parts[:2] == ["encoder", "layer"]:
            if int(parts[2]) not in layers:
                continue
            if parts[3] == "intermediate":
                tensor = tensor[kept[int(parts[2])]]
            elif parts[3:] == ["output", "dense", "weight"]:
                tensor = tensor[:, kept[int(parts[2])]]
            parts[2] = str(layers.index(int(parts[2])))
        name = ".".join(parts)
        if name == "embeddings.word_embeddings.weight":
            tensor = tensor[tokens]
        elif name in ("embeddings.position_embeddings.weight", "embeddings.position_ids", "embeddings.token_type_ids"):
            tensor = tensor[..., :positions] if name.endswith("ids") else tensor[:positions]
        if name in own:
            own[name] = tensor
    student.load_state_dict(own)
    return student


def objective(
    student: BertModel, teacher: BertModel, ours: Batch, theirs: Batch, targets: list[int], bf16: bool
) -> Tensor:
    """Mean over layers of the word-level squared error relative to the teacher's variance, plus the sentence terms."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        with torch.no_grad():
            expected = teacher(theirs.ids, attention_mask=theirs.mask, output_hidden_states=True).hidden_states
        actual = student(ours.ids, attention_mask=ours.mask, output_hidden_states=True).hidden_states
    expected, actual = [state.float() for state in expected], [state.float() for state in actual]
    loss = torch.zeros(())
    for index, target in enumerate(targets):
        goal = word_means(expected[target], theirs)
        loss = loss + (word_means(actual[index + 1], ours) - goal).square().mean() / goal.var() / len(targets)
    goal, mine = sentence_means(expected[-1], theirs), sentence_means(actual[-1], ours)
    alike = (mine @ mine.T - goal @ goal.T).square().mean()
    return loss + 2 * (1 - (goal * mine).sum(-1)).mean() + 5 * alike


def batches(pairs: list[tuple[Text, Text]], rng: random.Random) -> list[list[tuple[Text, Text]]]:
    """One pass in seeded order, texts of like length together."""
    order = rng.sample(pairs, len(pairs))
    chunk = BATCH * BUCKET
    result = []
    for start in range(0, len(order), chunk):
        part = sorted(order[start : start + chunk], key=lambda pair: len(pair[0].ids))
        result += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
    return rng.sample(result, len(result))


def train(student: BertModel, teacher: BertModel, pairs: list[tuple[Text, Text]], targets: list[int], options) -> None:
    """AdamW, linear warm-up and decay over `options.passes` of the corpus."""
    rng = random.Random(SEED)
    steps = [batch for _ in range(math.ceil(options.passes)) for batch in batches(pairs, rng)]
    steps = steps[: round(options.passes * math.ceil(len(pairs) / BATCH))]
    parameters = [value for name, value in student.named_parameters() if not name.startswith("pooler")]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01, betas=(0.9, 0.98))
    warmup = WARMUP * len(steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (len(steps) - step) / (len(steps) - warmup)))  # fmt: skip
    begun, running = time.time(), 0.0
    for step, batch in enumerate(steps):
        ours, theirs = collate([pair[0] for pair in batch]), collate([pair[1] for pair in batch])
        loss = objective(student, teacher, ours, theirs, targets, options.bf16)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        schedule.step()
        running += loss.item()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}/{len(steps)} loss {running / 100:.4f} {time.time() - begun:.0f} s", flush=True)
            running = 0.0


@torch.no_grad()
def agreement(student: BertModel, teacher: BertModel, pairs: list[tuple[Text, Text]], targets: list[int]) -> dict:
    """Sentence cosine, correlation of pairwise similarities, nearest-neighbour agreement, explained variance by layer."""
    mine, goal, error, spread = [], [], [0.0] * len(targets), [0.0] * len(targets)
    for start in range(0, len(pairs), 64):
        part = pairs[start : start + 64]
        ours, theirs = collate([pair[0] for pair in part]), collate([pair[1] for pair in part])
        expected = teacher(theirs.ids, attention_mask=theirs.mask, output_hidden_states=True).hidden_states
        actual = student(ours.ids, attention_mask=ours.mask, output_hidden_states=True).hidden_states
        for index, target in enumerate(targets):
            wanted = word_means(expected[target], theirs)
            error[index] += (word_means(actual[index + 1], ours) - wanted).square().sum().item()
            spread[index] += (wanted - wanted.mean(0)).square().sum().item()
        mine.append(sentence_means(actual[-1], ours))
        goal.append(sentence_means(expected[-1], theirs))
    ours, theirs = torch.cat(mine), torch.cat(goal)
    cosine = cosine_similarity(ours, theirs)
    upper = torch.triu_indices(len(ours), len(ours), 1)
    similar = [(matrix @ matrix.T) for matrix in (ours, theirs)]
    correlation = np.corrcoef(*(matrix[upper[0], upper[1]].numpy() for matrix in similar))[0, 1]
    nearest = [matrix.fill_diagonal_(-2).argmax(-1) for matrix in similar]
    return {
        "texts": len(pairs),
        "cosine_mean": round(cosine.mean().item(), 4),
        "cosine_p5": round(cosine.quantile(0.05).item(), 4),
        "similarity_correlation": round(float(correlation), 4),
        "same_nearest_neighbour": round((nearest[0] == nearest[1]).float().mean().item(), 4),
        "explained_variance_by_layer": [round(1 - e / s, 4) for e, s in zip(error, spread, strict=True)],
    }


def save(student: BertModel, folder: Path) -> None:
    """Plain Hugging Face layout, float16, names without a `bert.` prefix as in the teacher's file."""
    tensors = {name: value.half().contiguous() for name, value in student.state_dict().items() if not name.endswith("_ids")}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "dtype": "float16", "position_embedding_type": "absolute",
        **{key: getattr(student.config, key) for key in (
            "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
            "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
            "initializer_range", "layer_norm_eps", "pad_token_id")},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("teacher", "student", "corpus", "held-out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--layers", default="1,3,5", help="teacher layers that the student starts from")
    parser.add_argument("--width", type=int, default=1536)
    parser.add_argument("--positions", type=int, default=128)
    parser.add_argument("--limit", type=int, default=64, help="longest text in tokens")
    parser.add_argument("--passes", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="matrix products in bfloat16 (twice as fast with AVX512-BF16)")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    theirs, ours = AutoTokenizer.from_pretrained(options.teacher), AutoTokenizer.from_pretrained(options.student)
    teacher = load_teacher(options.teacher)
    full, small = theirs.get_vocab(), ours.get_vocab()
    layers = [int(layer) for layer in options.layers.split(",")]
    targets = [2, 4, 6] if len(layers) == 3 else [3, 6]
    tokens = [full[token] for token in sorted(small, key=small.__getitem__)]
    student = initialise(teacher, tokens, layers, options.positions, options.width).eval()  # no dropout while distilling

    def pairs(texts: list[str]) -> list[tuple[Text, Text]]:
        both = zip(encode(ours, texts, options.limit), encode(theirs, texts, options.limit), strict=True)
        kept = [pair for pair in both if pair[0] is not None and pair[1] is not None]
        assert all(a.words[-1] == b.words[-1] for a, b in kept), "the tokenizers disagree about words"
        return kept

    texts = options.corpus.read_text(encoding="utf-8").splitlines()
    held_out = [json.loads(line)["text"] for line in options.held_out.read_text(encoding="utf-8").splitlines()]
    print("before", agreement(student, teacher, pairs(held_out), targets), flush=True)
    train(student, teacher, pairs(texts), targets, options)
    save(student, options.student)
    loaded = BertModel.from_pretrained(options.student, dtype=torch.float32).eval()  # as stored: float16 rounding included
    figures = agreement(loaded, teacher, pairs(held_out), targets)
    print("after", json.dumps(figures))
    (options.student.parent / "agreement.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
