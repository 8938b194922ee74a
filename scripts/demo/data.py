"""Demo data set (gloss → category) and the distillation corpus, which holds no dev gloss.

usage: data.py --wordnet DICT_FOLDER --data OUT_FOLDER --corpus OUT_FILE
"""

import argparse
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

from wordnet import NOUN_CATEGORIES, Synset, normalised, read_synsets

SEED = 20240201
TRAIN_PER_LABEL, DEV_PER_LABEL = 375, 100
NEAR_DUPLICATE = 0.6  # Jaccard similarity of word sets from which a train gloss is too close to a dev gloss


def names_itself(synset: Synset) -> bool:
    """Whether the definition uses a word of one of its own lemmas."""
    words = set(normalised(synset.definition).split())
    return any(word in words for lemma in synset.lemmas for word in normalised(lemma).split() if len(word) > 2)


def candidates(synsets: list[Synset]) -> dict[str, list[str]]:
    """Definitions by label: unique over all of WordNet, 4 to 40 words, no named individuals, not naming themselves."""
    uses = Counter(normalised(synset.definition) for synset in synsets)
    pool: dict[str, list[str]] = defaultdict(list)
    for synset in synsets:
        text = normalised(synset.definition)
        if synset.category is None or synset.instance or uses[text] > 1 or names_itself(synset):
            continue
        if 4 <= len(text.split()) <= 40:
            pool[synset.category].append(synset.definition)
    return pool


def too_close(text: str, others: list[set[str]]) -> bool:
    words = set(normalised(text).split())
    return any(len(words & other) >= NEAR_DUPLICATE * len(words | other) for other in others)


def split(pool: dict[str, list[str]]) -> tuple[list[dict], list[dict]]:
    """Balanced (train, dev) rows in seeded order; no train gloss equals or nearly equals a dev gloss."""
    rng = random.Random(SEED)
    shuffled = {label: rng.sample(pool[label], len(pool[label])) for label in sorted(pool)}
    dev = [{"text": text, "label": label} for label in shuffled for text in shuffled[label][:DEV_PER_LABEL]]
    dev_words = [set(normalised(row["text"]).split()) for row in dev]
    train = []
    for label, texts in shuffled.items():
        apart = [text for text in texts[DEV_PER_LABEL:] if not too_close(text, dev_words)]
        assert len(apart) >= TRAIN_PER_LABEL, f"{label}: expected {TRAIN_PER_LABEL} train glosses, got {len(apart)}"
        train += [{"text": text, "label": label} for text in apart[:TRAIN_PER_LABEL]]
    rng.shuffle(train)
    rng.shuffle(dev)
    return train, dev


def corpus(synsets: list[Synset], dev: list[dict]) -> list[str]:
    """Every other definition and example sentence of three words or more, once each."""
    held_out = {normalised(row["text"]) for row in dev}
    texts: dict[str, str] = {}
    for synset in synsets:
        if normalised(synset.definition) in held_out:
            continue
        for text in (synset.definition, *synset.examples):
            if len(text.split()) >= 3:
                texts.setdefault(normalised(text), text)
    return [text for form, text in texts.items() if form not in held_out]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("wordnet", "data", "corpus"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    synsets = read_synsets(options.wordnet)
    pool = candidates(synsets)
    assert set(pool) == set(NOUN_CATEGORIES.values())
    train, dev = split(pool)
    texts = corpus(synsets, dev)
    forms = {name: {normalised(row["text"]) for row in rows} for name, rows in (("train", train), ("dev", dev))}
    assert not forms["train"] & forms["dev"], "a gloss is in both splits"
    assert not forms["dev"] & {normalised(text) for text in texts}, "a dev gloss is in the distillation corpus"
    options.data.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("dev", dev)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (options.data / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    options.corpus.write_text("\n".join(texts) + "\n", encoding="utf-8")
    print({label: len(pool[label]) for label in sorted(pool)}, f"train {len(train)}, dev {len(dev)}, corpus {len(texts)}")


if __name__ == "__main__":
    main()
