"""Writes test/golden/rouge.json: ROUGE of made-up texts by Google's rouge_score, without stemming.

Run: python scripts/golden/rouge.py   (pip install rouge-score==0.1.2)
"""
import json
import os
import random

from rouge_score import rouge_scorer

OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "test", "golden", "rouge.json")
PAIRS = [
    ("", ""), ("a", ""), ("", "a"), ("the cat sat", "the cat sat"), ("The CAT sat.", "the cat sat"), ("police kill the gunman", "police killed the gunman"),
    ("gunman the kill police", "police killed the gunman"), ("a a a b", "a b a a"), ("one", "two"), ("word", "word word word"), ("it's 5,000.50 now", "its 5000 50 now"),
    ("na\u00efve caf\u00e9", "naive cafe"), ("\u0130stanbul \u212a", "istanbul k"), ("\u4e2d\u6587 abc", "abc \u4e2d\u6587"), ("line\nbreak\tand_under", "line break and under"),
    ("\u00df \ufb01x", "ss fix"), ("x" * 50, "x" * 50), ("- - -", "..."),
]


def main():
    rng = random.Random(5)
    words = ["the", "cat", "Dog", "runs,", "fast", "a", "7", "b-c", "caf\u00e9", "."]
    line = lambda: " ".join(rng.choice(words) for _ in range(rng.randint(0, 25)))
    pairs = PAIRS + [(line(), line()) for _ in range(150)]
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    rows = []
    for prediction, target in pairs:
        scores = scorer.score(target, prediction)
        rows.append([prediction, target, *(scores[name].fmeasure for name in ("rouge1", "rouge2", "rougeL"))])
    with open(OUT, "w", encoding="ascii") as out:
        json.dump(rows, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


main()
