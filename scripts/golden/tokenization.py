"""Writes test/golden/tokenizers/: two small tokenizers trained here, and what transformers makes of odd texts with them.

Run: python scripts/golden/tokenization.py [MINILM_FOLDER]   (transformers 5.23, tokenizers 0.23)
The corpus is the repository's own LICENSE and ARCHITECTURE.md. With MINILM_FOLDER, ids of its tokenizer are kept too.
"""
import json
import os
import random
import shutil
import sys
import tempfile

import tokenizers
import transformers
from tokenizers import ByteLevelBPETokenizer, BertWordPieceTokenizer
from transformers import AutoTokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "test", "golden", "tokenizers")
CORPUS = [os.path.join(ROOT, name) for name in ("LICENSE", "ARCHITECTURE.md")]

TEXTS = [
    "", " ", "   ", "\n", "\t\t\n", "a", "The quick brown fox jumps over the lazy dog.",
    "it 's a charming and often affecting journey . ", "Don't you'll we've I'm he'd they're 'S 'LL 's",
    "e\u0301 \u00e9 e\u0323\u0301 e\u0301\u0323 A\u030a \u212b o\u0308\u0304 \u1e9e \u00df \u0130 \u0131 I\u0307",
    "ΑΣ ΣΑΣ ὈΔΥΣΣΕΎΣ", "中文字符 mixed 中a文 𠀀𪜀𫠝 ㍿ 々〆 日本語テキスト カタカナ ひらがな 한국어 각",
    "emoji 😀 👨‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ 🏳️‍🌈 1️⃣", "zero\u200bwidth\u200cjoin\u200dmarks\ufeffbom \ufeff \u2060",
    "control\x00\x01\x07\x1f\x7f\x80\x85\x9fend", "\x85 \x0b \x0c \x1c \x1d", "soft\u00adhyphen non\u00a0breaking\u202fthin\u2009space\u3000ideographic",
    "مرحبا بالعالم ١٢٣ \u202eRTL\u202c שלום עולם \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "नमस्ते दुनिया क्षत्रिय ไทย ภาษาไทย",
    "NFKC ﬁ ﬂ ﬃ Å ① ½ ² ™ ｆｕｌｌｗｉｄｔｈ ㎏ ℌ ℡ ǆ ſ", "\u0345 \u1fb3 \u0390 \u03b0 \ufb2c \u0958 \uac00 \u1100\u1161\u11a8",
    "\ufffd replacement \ufffe \uffff \U0010ffff \U000e0001 \U000e0041", "math 𝒜𝓑 𝟘𝟙 ∑∫√ ≠ ≤", "punct !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ «» “” ‘’ … — – ¿¡ § ¶ 、。「」",
    "[CLS] [SEP] [MASK] [PAD] [UNK] <s> </s> <mask> <pad> <unk>", "a<mask>b a <mask> b [MASK]. x[SEP]y  <mask>  z", "<MASK> [cls] <s >",
    "$1,234.56 3.14159 1e-7 0x1F 12:30 2024-01-01 100% #tag @user", "https://example.com/a?b=c&d=%20#e user@example.org", "CamelCaseWords snake_case_words kebab-case-words",
    "  leading and trailing  ", "tabs\tand\nnew\r\nlines\r\rmany   spaces", "x" * 99, "x" * 100, "x" * 101, "é" * 101, "😀" * 101, "ab" * 110,
    "word " * 150, "\u0301start", "\u0301", "a\u0301" * 60, "\u1abf\u08d3 \u0c04 \u1ac0 \U0001e2ec \U00011938", "\u061d \u2e52 \u1b7d \U00016d6d \u07fd",
    "\U00010ec5 \ua7d2 \u088f \U0001e6c0 \U000323b0 \U00016ff4 \U00011de0", "\ue000 \uf8ff private", "Ⅷ ⅷ ⑳ ㊿ ৳ ৴ 〇 零 〹", "İstanbul ISPARTA ıI", "ǅ ǈ ᾈ ᾼ Ω K",
    "\u180e \u2028 \u2029 \u1680 \u205f", "Zalgo: Z\u0351\u036b\u0343\u036a\u0302a\u0334l\u0337g\u0321o\u0362", "\"quoted\" 'single' `back`", "\\u0041 \\n literal",
    "lone\ud800high", "\udc00low \udbff", "\ud83d\ud83d\ude00", "don\u2019t it\u2019s",
]
PAIRS = [
    ("", ""), ("a", ""), ("", "b"), ("The first text.", "And the second one, which is longer."), ("word " * 30, "short"), ("short", "word " * 30),
    ("one two three four five six seven", "one two three four five six seven"), ("word " * 60, "other " * 61), ("中文", "😀 <mask>"), ("a [SEP] b", "c"),
]


def fixed(text):
    """Python's tokenizers refuse lone surrogates; UTF-8 encoders write U+FFFD for them."""
    return None if text is None else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def cases():
    rng = random.Random(7)
    out = [{"text": text} for text in TEXTS]
    out += [{"text": text, "maxLength": length} for text in ("word " * 50, "a b c d e f", "") for length in (2, 3, 5, 16)]
    for first, second in PAIRS:
        out.append({"text": first, "pair": second})
        for length in (4, 5, 6, 7, 8, 12, 13, 16, 31, 64):
            out.append({"text": first, "pair": second, "maxLength": length})
    for first, second, strategy in (("word " * 30, "a b", "only_first"), ("a b", "word " * 30, "only_second")):
        out.append({"text": first, "pair": second, "maxLength": 20, "truncation": strategy})
    letters = [c for text in TEXTS for c in text]
    for _ in range(120):
        text = "".join(rng.choice(letters) for _ in range(rng.randint(1, 24)))
        out.append({"text": text})
    for _ in range(60):
        first, second = ("".join(rng.choice(letters) for _ in range(rng.randint(0, 20))) for _ in range(2))
        out.append({"text": first, "pair": second, "maxLength": rng.randint(4, 32)})
    return out


def truncation_table():
    """Rows [first, second, room, kept of first, kept of second] of `longest_first`, for all small lengths."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    rows = []
    for first in range(8):
        for second in range(8):
            for room in range(1, 10):
                tokenizer.enable_truncation(room, strategy="longest_first")
                ids = tokenizer.encode(["a"] * first, ["b"] * second, is_pretokenized=True).ids
                rows.append([first, second, room, ids.count(0), ids.count(1)])
    return rows


def encode(tokenizer, case):
    options = {"return_special_tokens_mask": True, "return_token_type_ids": True}
    if "maxLength" in case:
        options |= {"truncation": case.get("truncation", "longest_first"), "max_length": case["maxLength"]}
    # as a batch of one: transformers takes an empty second text for none when called with single strings
    out = tokenizer([fixed(case["text"])], [fixed(case["pair"])] if "pair" in case else None, **options)
    return {"ids": out["input_ids"][0], "typeIds": out["token_type_ids"][0], "mask": out["special_tokens_mask"][0]}


def compact(encoding, case):
    # ids in base 36; the special tokens' positions; where segment 1 starts (-1: nowhere)
    types = encoding["typeIds"]
    start = types.index(1) if 1 in types else -1
    assert types == [0] * (len(types) if start < 0 else start) + [1] * (0 if start < 0 else len(types) - start), case
    return [encoding["ids"], [i for i, m in enumerate(encoding["mask"]) if m == 1], start]


def save(folder, name, files):
    path = os.path.join(folder, name)
    os.makedirs(path)
    for file, content in files.items():
        with open(os.path.join(path, file), "w", encoding="utf-8", newline="\n") as out:
            out.write(content if isinstance(content, str) else json.dumps(content, ensure_ascii=True))


def main():
    random.seed(0)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    wordpiece = BertWordPieceTokenizer(lowercase=True)
    wordpiece.train(CORPUS, vocab_size=700, min_frequency=2, show_progress=False,
                    special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    bpe = ByteLevelBPETokenizer()
    bpe.train(CORPUS, vocab_size=700, min_frequency=2, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    vocab = sorted(wordpiece.get_vocab().items(), key=lambda item: item[1])
    model = json.loads(bpe.to_str())["model"]
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    save(OUT, "bert-legacy", {"vocab.txt": "".join(token + "\n" for token, _ in vocab),
                              "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 512},
                              "config.json": {"model_type": "bert"}})
    save(OUT, "roberta-legacy", {"vocab.json": model["vocab"], "merges.txt": "#version: 0.2\n" + "".join(m + "\n" for m in merges),
                                 "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512},
                                 "config.json": {"model_type": "roberta"}})
    for legacy, modern, lower in (("bert-legacy", "bert", True), ("roberta-legacy", "roberta", None)):
        options = {} if lower is None else {"do_lower_case": lower}
        tokenizer = AutoTokenizer.from_pretrained(os.path.join(OUT, legacy), **options)
        tokenizer.save_pretrained(os.path.join(OUT, modern))
        shutil.copy(os.path.join(OUT, legacy, "config.json"), os.path.join(OUT, modern))
    golden = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}, "cases": cases(),
              "truncation": truncation_table(), "expected": {}}
    folders = {name: os.path.join(OUT, name) for name in ("bert", "bert-legacy", "roberta", "roberta-legacy")}
    if len(sys.argv) > 1:
        copy = tempfile.mkdtemp()
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"):
            shutil.copy(os.path.join(sys.argv[1], file), copy)
        golden["minilm"] = "sentence-transformers/all-MiniLM-L6-v2"
        folders["minilm"] = copy
    for name, folder in folders.items():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
        golden["expected"][name] = [compact(encode(tokenizer, case), case) for case in golden["cases"]]
    with open(os.path.join(OUT, "golden.json"), "w", encoding="ascii") as out:
        json.dump(golden, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
