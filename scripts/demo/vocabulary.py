"""The student's vocabulary: the teacher's WordPieces that the corpus needs most, pruned in rounds.

usage: vocabulary.py --teacher FOLDER --corpus FILE --size N --out FOLDER
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

ROUNDS = (16000, 11000, 8000, 6500, 5500)  # counts are taken anew after each round: lost words feed their pieces
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def always_kept(token: str) -> bool:
    """Special tokens and every single Latin letter, digit, punctuation mark and common symbol, also as continuation."""
    character = token.removeprefix("##")
    return token in SPECIAL or (len(character) == 1 and (character < "\u0250" or "\u2010" <= character <= "\u2122"))


def count_words(tokenizer: Tokenizer, texts: list[str]) -> Counter:
    words: Counter = Counter()
    for text in texts:
        clean = tokenizer.normalizer.normalize_str(text)
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(clean))
    return words


def count_pieces(vocabulary: list[str], words: Counter) -> Counter:
    ids = {token: index for index, token in enumerate(vocabulary)}
    model = models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100)
    pieces: Counter = Counter()
    for word, count in words.items():
        for piece in model.tokenize(word):
            pieces[piece.value] += count
    return pieces


def prune(vocabulary: list[str], words: Counter, size: int) -> list[str]:
    """`size` tokens of `vocabulary` in its own order (special tokens first)."""
    for target in [*(rounded for rounded in ROUNDS if rounded > size), size]:
        pieces = count_pieces(vocabulary, words)
        order = sorted(vocabulary, key=lambda token: (not always_kept(token), -pieces[token]))
        kept = set(order[:target])
        vocabulary = [token for token in vocabulary if token in kept]
    return vocabulary


def write_tokenizer(teacher: Path, vocabulary: list[str], positions: int, out: Path) -> None:
    """The teacher's tokenizer files with the smaller vocabulary."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    state = json.loads((teacher / "tokenizer.json").read_text(encoding="utf-8"))
    state["model"]["vocab"] = ids
    state["truncation"] = state["padding"] = None
    for added in state["added_tokens"]:
        added["id"] = ids[added["content"]]
    for name, token in state["post_processor"].get("special_tokens", {}).items():
        token["ids"] = [ids[name]]
    for key in ("cls", "sep"):
        if key in state["post_processor"]:
            token = state["post_processor"][key][0]
            state["post_processor"][key] = [token, ids[token]]
    settings = {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True,
        "model_max_length": positions, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
        "cls_token": "[CLS]", "mask_token": "[MASK]",
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (out / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False, indent=1), encoding="utf-8")
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("teacher", "corpus", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--positions", type=int, default=128)
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.teacher)
    words = count_words(tokenizer.backend_tokenizer, options.corpus.read_text(encoding="utf-8").splitlines())
    ids = tokenizer.get_vocab()
    full = sorted(ids, key=ids.__getitem__)
    kept = prune(full, words, options.size)
    write_tokenizer(options.teacher, kept, options.positions, options.out)
    pieces, whole = count_pieces(kept, words), count_pieces(full, words)
    print(f"{len(kept)} of {len(full)} tokens; pieces per word {pieces.total() / words.total():.3f} "
          f"(teacher {whole.total() / words.total():.3f}), unknown {pieces['[UNK]']} (teacher {whole['[UNK]']})")  # fmt: skip


if __name__ == "__main__":
    main()
