"""Writes test/golden/tokenizers/t5: a small T5 tokenizer trained here, and what transformers makes of odd texts with it.

    unigram.py [--out DIR]     (transformers 5.23, tokenizers 0.23)

The corpus is the repository's own LICENSE and ARCHITECTURE.md; the normalisation is a map made here as SentencePiece
makes its own (nmt_nfkc): NFKC of every character and composed pair of the odd texts, control characters dropped,
white space of every kind a space. Written: tokenizer.json, tokenizer_config.json and golden.json {versions, cases[],
expected[]: ids, decoded[]: the ids' text, without and with special tokens}.
"""

import argparse
import json
import pathlib
import struct
import unicodedata

import tokenizers
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

import tokenization

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXTRA = ["<extra_id_0> a <extra_id_1>", "x<extra_id_3>y", "</s>", "a</s>b", "<pad><unk>", "▁", "a▁b", "▁▁ a", "a ▁b▁", "translate English to German: That is good."]


def rules(texts: list[str]) -> dict[str, str]:
    """What is replaced by what."""
    characters = {c for text in texts for c in tokenization.fixed(text)}
    pairs = {a + b for text in texts for a, b in zip(text, text[1:]) if unicodedata.combining(b) and not unicodedata.combining(a)}
    made = {}
    for part in characters | {p for p in pairs if "\ud800" > p[0] or p[0] > "\udfff"}:
        if part == "\0":
            continue
        to = unicodedata.normalize("NFKC", part)
        if len(part) == 1 and (part.isspace() or part in "\u200b\u200e\u200f\ufeff\u2581\ufffd"):
            to = " "
        elif len(part) == 1 and unicodedata.category(part) == "Cc":
            to = ""
        if to != part and "\0" not in to:
            made[part] = to
    made["～"] = "～"
    return made


def precompiled(replacements: dict[str, str]) -> bytes:
    """A `precompiled_charsmap`: a darts-clone double array over UTF-8, then the replacements, each with a zero byte."""
    texts, starts = bytearray(), {}
    for to in replacements.values():
        if to not in starts:
            starts[to] = len(texts)
            texts += to.encode() + b"\0"
    trie: dict = {}
    for part, to in replacements.items():
        node = trie
        for byte in part.encode():
            node = node.setdefault(byte, {})
        node[0] = starts[to]
    units, taken = {0: 0}, {0}

    def place(node: dict, at: int, label: int):
        base = 1
        while any((base ^ child) in taken for child in node):
            base += 1
        taken.update(base ^ child for child in node)
        offset = at ^ base
        assert offset < 1 << 21
        units[at] = label | (1 << 8 if 0 in node else 0) | offset << 10
        for child, below in node.items():
            if child == 0:
                units[base] = below | 1 << 31
            else:
                place(below, base ^ child, child)

    place(trie, 0, 0)
    size = (max(units) | 0xFF) + 1
    array = struct.pack(f"<{size}I", *(units.get(i, 0) for i in range(size)))
    return struct.pack("<I", len(array)) + array + bytes(texts)


def train(charsmap: bytes) -> list[tuple[str, float]]:
    trainee = Tokenizer(models.Unigram())
    trainee.normalizer = normalizers.Precompiled(charsmap)
    trainee.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=500, special_tokens=specials, unk_token="<unk>", show_progress=False)
    trainee.train([str(ROOT / name) for name in ("LICENSE", "ARCHITECTURE.md")], trainer)
    pieces = json.loads(trainee.to_str())["model"]["vocab"]
    return [(piece, round(score, 6)) for piece, score in pieces]


def main():
    parser = argparse.ArgumentParser(description="reference ids of a T5 tokenizer")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "test" / "golden" / "tokenizers" / "t5")
    out = parser.parse_args().out
    cases = [case for case in tokenization.cases() if "pair" not in case or len(case["text"]) < 60]
    cases += [{"text": text} for text in EXTRA]
    texts = [case[key] for case in cases for key in ("text", "pair") if key in case]
    charsmap = precompiled(rules(texts))
    tokenizer = transformers.T5Tokenizer(vocab=train(charsmap), _spm_precompiled_charsmap=charsmap, extra_ids=5)
    tokenizer.save_pretrained(out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    expected = [tokenization.encode(tokenizer, case)["ids"] for case in cases]
    decoded = [[tokenizer.decode(ids, skip_special_tokens=skip) for skip in (True, False)] for ids in expected]
    golden = {
        "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__},
        "cases": cases, "expected": expected, "decoded": decoded,
    }  # fmt: skip
    (out / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
