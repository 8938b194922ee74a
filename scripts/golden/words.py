"""Writes test/golden/tokenizers/words.json: texts given in words, as transformers tokenizes and labels them for run_ner.py.

    python scripts/golden/words.py

{"<tokenizer>": [{"words": [...], "labels": [...], "maxLength": n | null, "ids": [...], "tokenLabels": [...]}]}

RoBERTa's tokenizer is loaded with add_prefix_space=True, as run_ner.py does. Labels stand on the first token of each word, -100 on the
others and on special tokens.
"""

import json
import pathlib
import random

from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).parents[2] / "test" / "golden" / "tokenizers"

SENTENCES = [
    ["EU", "rejects", "German", "call", "to", "boycott", "British", "lamb", "."],
    ["Peter", "Blackburn"],
    ["a"],
    ["I", "'m", "in", "New-York", "!", "..."],
    ["don't", "we'll", "U.S.", "1996-08-22", "$1,234.56"],
    ["naïve", "Ångström", "e\u0301", "Straße", "İstanbul", "中文字符", "日本", "한국어"],
    ["😀", "👨‍👩‍👧", "x😀y", "ﬁ", "Ⅷ"],
    ["\u200b", "word", "\u200d", "\u00ad", "next"],
    ["two words", " leading", "trailing ", "\u00a0x\u00a0y"],
    ["[MASK]", "<mask>", "a<mask>b", "[SEP]", "</s>", "[CLS]x"],
    ["UPPER", "MiXeD", "snake_case", "https://example.com/a?b=c"],
    ["supercalifragilisticexpialidocious"] * 3,
    ["x" * 101, "ab" * 110, "end"],
]


def labelled(tokenizer, words, labels, max_length):
    encoded = tokenizer(words, is_split_into_words=True, truncation=max_length is not None, max_length=max_length)
    token_labels, previous = [], None
    for owner in encoded.word_ids():
        token_labels.append(-100 if owner is None or owner == previous else labels[owner])
        previous = owner
    return {
        "words": words,
        "labels": labels,
        "maxLength": max_length,
        "ids": encoded["input_ids"],
        "tokenLabels": token_labels,
    }


def main():
    rng = random.Random(5)
    record = {}
    for name in ("bert", "roberta", "bert-legacy", "roberta-legacy"):
        more = {"add_prefix_space": True} if name.startswith("roberta") else {}
        tokenizer = AutoTokenizer.from_pretrained(ROOT / name, use_fast=True, **more)
        cases = []
        for words in SENTENCES:
            labels = [rng.randrange(5) for _ in words]
            for max_length in (None, 8, 5, 3):
                cases.append(labelled(tokenizer, words, labels, max_length))
        record[name] = cases
    parts = [f'"{name}": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]" for name, cases in record.items()]
    (ROOT / "words.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
