"""Writes test/golden/tokenizers/spiece: small SentencePiece models trained here, and transformers' ids of odd texts with them.

    spiece.py     (transformers 5.23, tokenizers 0.23, sentencepiece 0.2, protobuf)

The corpus is the repository's own LICENSE. Folders: T5's spiece.model and XLM-RoBERTa's sentencepiece.bpe.model, without a
tokenizer.json, with tokens declared in the places that transformers reads. Written beside them: golden.json {versions,
texts[], expected {folder: ids[]}}.
"""

import json
import pathlib
import shutil
import tempfile

import sentencepiece
import transformers
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "test" / "golden" / "tokenizers" / "spiece"
RULES = {"ﬁ": "fi", "Ａ": "A", "\u00a0": " ", "\t": " ", "e\u0301": "é", "\u200b": ""}
TEXTS = [
    "", "  the License,  of a Work ", "WORK <extra_id_0> and <extra_id_4>!", "the [USR] said <ctl> to [ENT]dog udef", "ﬁle Ａ\u00a0b\tc e\u0301 é\u200b 中文 😀",
    "</s> <pad> <unk> <s> <mask> a<mask>b", "▁a▁▁ b", "a\u0085b", "Licensor licensors LICENSE" * 3,
]


def train(folder: pathlib.Path, name: str, **options) -> None:
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as place:
        rules = pathlib.Path(place, "rules.tsv")
        rules.write_text("".join(f"{' '.join(f'{ord(c):X}' for c in a)}\t{' '.join(f'{ord(c):X}' for c in b)}\n" for a, b in RULES.items()))
        sentencepiece.SentencePieceTrainer.train(
            input=str(ROOT / "LICENSE"), model_prefix=f"{place}/m", vocab_size=220, character_coverage=1.0, hard_vocab_limit=False,
            normalization_rule_tsv=str(rules), control_symbols=["<ctl>"], user_defined_symbols=["udef"], minloglevel=2, **options)
        shutil.copy(f"{place}/m.model", folder / name)


def save(folder: pathlib.Path, **files) -> None:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content) + "\n")


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    t5 = OUT / "t5"
    train(t5, "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    save(t5, config={"model_type": "t5"}, tokenizer_config={"tokenizer_class": "T5Tokenizer", "extra_ids": 5})
    added = OUT / "t5-added"
    shutil.copytree(t5, added)
    save(added, special_tokens_map={"eos_token": "</s>", "additional_special_tokens": ["[USR]"]}, added_tokens={"[ENT]": 232})
    xlm = OUT / "xlm-roberta"
    train(xlm, "sentencepiece.bpe.model", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    save(xlm, config={"model_type": "bert"}, tokenizer_config={"tokenizer_class": "XLMRobertaTokenizer"})
    expected = {}
    for folder in (t5, added, xlm):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        expected[folder.name] = [tokenizer(text)["input_ids"] for text in TEXTS]
    versions = {"transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__}
    (OUT / "golden.json").write_text(json.dumps({"versions": versions, "texts": TEXTS, "expected": expected}) + "\n")


if __name__ == "__main__":
    main()
