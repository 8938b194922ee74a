"""Question answering as transformers' run_qa.py and the official SQuAD scripts have it, restated.

Run: python scripts/golden/squad.py                                   writes test/golden/squad/golden.json
     python scripts/golden/squad.py features TOKENIZER SQUAD.json N STRIDE   features of each question, to stdout
Offsets count UTF-16 units, as JavaScript does. Sources: transformers 5.23 (fast tokenizer), its examples' run_qa.py and
utils_qa.py, rajpurkar.github.io/SQuAD-explorer's evaluate-v1.1.py and evaluate-v2.0.py.
"""
import collections
import json
import os
import random
import re
import string
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "test", "golden", "squad")


def utf16(text):
    """Place of each code point in UTF-16 units, one more for the end."""
    places = [0]
    for char in text:
        places.append(places[-1] + (2 if ord(char) > 0xFFFF else 1))
    return places


def load_tokenizer(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    return tokenizer


def questions(data):
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                yield paragraph["context"], qa


def features(tokenizer, data, max_length, stride):
    """prepare_train_features and prepare_validation_features of run_qa.py: rows [example, ids, start of segment 1, position
    of the context's first token, start and end in the context of each of its tokens, start position, end position]. The answer's first token is sought up to the
    context's last one (run_qa.py runs on into [SEP] and padding when the answer starts there)."""
    rows = []
    for example, (context, qa) in enumerate(questions(data)):
        places = utf16(context)
        out = tokenizer([qa["question"].lstrip()], [context], truncation="only_second", max_length=max_length, stride=stride,
                        return_overflowing_tokens=True, return_offsets_mapping=True, return_token_type_ids=True)
        for i, ids in enumerate(out["input_ids"]):
            spans = out["offset_mapping"][i]
            sequence = out.sequence_ids(i)
            cls = ids.index(tokenizer.cls_token_id)
            start = end = cls
            answers = qa["answers"]
            if len(answers) > 0 and 1 in sequence:
                from_char = answers[0]["answer_start"]
                to_char = from_char + len(answers[0]["text"])
                first = sequence.index(1)
                last = len(sequence) - 1 - sequence[::-1].index(1)
                if spans[first][0] <= from_char and spans[last][1] >= to_char:
                    start = max(t for t in range(first, last + 1) if spans[t][0] <= from_char)
                    end = min(t for t in range(first, last + 1) if spans[t][1] >= to_char)
            types = out["token_type_ids"][i]
            place = [places[at] for span, s in zip(spans, sequence) if s == 1 for at in span]
            first = sequence.index(1) if 1 in sequence else -1
            rows.append([example, ids, types.index(1) if 1 in types else len(types), first, place, start, end])
    return rows


def postprocess(context, spans, starts, ends, null_allowed, n_best=20, longest=30, threshold=0.0):
    """postprocess_qa_predictions of utils_qa.py for one example; where nothing is left, the answer is empty, not "empty"."""
    import numpy as np

    null = None
    found = []
    for offset, s, e in zip(spans, starts, ends):
        s, e = np.array(s, np.float32), np.array(e, np.float32)
        score = s[0] + e[0]
        if null is None or null["score"] > score:
            null = {"offsets": (0, 0), "score": score, "start": s[0], "end": e[0]}
        for i in np.argsort(s, kind="stable")[-1:-n_best - 1:-1].tolist():
            for j in np.argsort(e, kind="stable")[-1:-n_best - 1:-1].tolist():
                if offset[i] is None or offset[j] is None or j < i or j - i + 1 > longest:
                    continue
                found.append({"offsets": (offset[i][0], offset[j][1]), "score": s[i] + e[j], "start": s[i], "end": e[j]})
    if null_allowed:
        found.append(null)
    best = sorted(found, key=lambda x: x["score"], reverse=True)[:n_best]
    if null_allowed and not any(p["offsets"] == (0, 0) for p in best):
        best.append(null)
    if not best:
        return {"text": "", "nbest": [], "nullScore": None}
    units = context.encode("utf-16-le")
    texts = [units[2 * p["offsets"][0]:2 * p["offsets"][1]].decode("utf-16-le") for p in best]
    scores = np.array([p["score"] for p in best])
    odds = np.exp(scores - np.max(scores))
    odds = odds / odds.sum()
    nbest = [[t, float(p["start"]), float(p["end"]), round(float(o), 9)] for t, p, o in zip(texts, best, odds)][:4]
    if not null_allowed:
        return {"text": texts[0], "nbest": nbest, "nullScore": None}
    filled = [i for i, t in enumerate(texts) if t != ""]
    if not filled:
        return {"text": "", "nbest": nbest, "nullScore": None}
    pick = filled[0]
    difference = float(null["score"] - best[pick]["start"] - best[pick]["end"])
    return {"text": "" if difference > threshold else texts[pick], "nbest": nbest, "nullScore": difference}


def normalize(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(prediction, gold, version):
    p, g = normalize(prediction).split(), normalize(gold).split()
    if version == 2 and (len(p) == 0 or len(g) == 0):
        return float(p == g)
    same = sum((collections.Counter(p) & collections.Counter(g)).values())
    return 0.0 if same == 0 else 2 * same / (len(p) + len(g))


def exact(prediction, gold):
    return float(normalize(prediction) == normalize(gold))


def score_v1(cases):
    """evaluate-v1.1.py, as fractions."""
    e = [max(exact(p, g) for g in golds) for p, golds, _ in cases]
    f = [max(f1(p, g, 1) for g in golds) for p, golds, _ in cases]
    return {"exact_match": sum(e) / len(e), "f1": sum(f) / len(f), "each": [[a, b] for a, b in zip(e, f)]}


def best_threshold(scores, na_probs, has_answer):
    """find_best_thresh of evaluate-v2.0.py over examples in order."""
    current = best = sum(1 for has in has_answer if not has)
    threshold = 0.0
    for i in sorted(range(len(scores)), key=lambda i: na_probs[i]):
        if has_answer[i]:
            change = scores[i]
        else:
            change = -1 if predictions_of[i] else 0
        current += change
        if current > best:
            best, threshold = current, na_probs[i]
    return best / len(scores), threshold


predictions_of = []


def score_v2(cases):
    """evaluate-v2.0.py with --na-prob-file, as fractions; the threshold for the raw scores is above every probability."""
    global predictions_of
    predictions_of = [p for p, _, _ in cases]
    has = [len(golds) > 0 for _, golds, _ in cases]
    e, f = [], []
    for prediction, golds, _ in cases:
        kept = [g for g in golds if normalize(g)] or [""]
        e.append(max(exact(prediction, g) for g in kept))
        f.append(max(f1(prediction, g, 2) for g in kept))
    na = [probability for _, _, probability in cases]
    part = lambda values, flag: [v for v, h in zip(values, has) if h == flag]
    mean = lambda values: sum(values) / len(values)
    out = {"exact_match": mean(e), "f1": mean(f), "has_answer_exact_match": mean(part(e, True)), "has_answer_f1": mean(part(f, True)),
           "no_answer_accuracy": mean(part(e, False))}
    out["best_exact_match"], out["best_exact_match_threshold"] = best_threshold(e, na, has)
    out["best_f1"], out["best_f1_threshold"] = best_threshold(f, na, has)
    return out | {"each": [[a, b] for a, b in zip(e, f)]}


ANSWERS = [
    ("The Denver Broncos", ["Denver Broncos", "The Denver Broncos."]), ("a an the", ["the"]), ("", [""]), ("the", [""]), ("", ["the answer"]),
    ("Santa Clara, California", ["Santa Clara", "Levi's Stadium in Santa Clara, California"]), ("cat cat dog", ["cat dog dog"]),
    ("U.S.A.", ["USA"]), ("it's", ["its"]), ("don\u2019t", ["dont", "don't"]), ("the-cat", ["thecat", "cat"]), ("another theatre", ["nother atre"]),
    ("A\u00a0B", ["a b"]), ("x\u200by", ["xy", "x y"]), ("\u0130stanbul", ["istanbul", "i\u0307stanbul"]), ("\u039f\u0394\u039f\u03a3", ["\u03bf\u03b4\u03bf\u03c2"]),
    ("a\u0301 la carte", ["la carte"]), ("\u4e2da\u6587", ["\u4e2d\u6587"]), ("a\u0308", [""]), ("10 %", ["10%", "10"]), ("\u00abthe\u00bb end", ["\u00ab\u00bb end"]),
    ("the\x1cthe\x85 end\ufeff", ["end"]), ("_a_", ["a"]), ("a_", [""]), ("one two three four", ["three four five six"]), ("1,000", ["1000"]),
    ("straße", ["STRASSE", "STRAßE"]), ("\ud83d\ude00 the \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), ["\U0001F600\U0001F600"]),
    ("an\u00e9 \u00e9a", ["\u00e9a"]), ("the \u00bd a\u00b2", ["\u00bd"]),
]


def metric_cases(rng):
    cases = [[p, g, round(rng.uniform(-4, 4), 3)] for p, g in ANSWERS]
    words = ["the", "a", "An", "cat", "dog.", "(bird)", "10", "", " ", "caf\u00e9"]
    for _ in range(120):
        line = lambda: " ".join(rng.choice(words) for _ in range(rng.randint(0, 6)))
        cases.append([line(), [line() for _ in range(rng.randint(1, 4))], round(rng.uniform(-4, 4), 3)])
    unanswerable = [[rng.choice(["", "", "cat", "the"]), [], round(rng.uniform(-4, 4), 3)] for _ in range(60)]
    return cases, cases + unanswerable


def span_cases(rng):
    """Random logits over random features; every logit differs, so that no order is left to chance."""
    cases = []
    for _ in range(40):
        context = "".join(rng.choice("abc é中\U0001F600.") for _ in range(rng.randint(1, 80)))
        places = utf16(context)
        spans, starts, ends = [], [], []
        for _ in range(rng.randint(1, 3)):
            head, tail = rng.randint(1, 5), 1
            size = rng.choice([0, 1, 5, 20, 45])
            cuts = sorted(rng.randint(0, len(context)) for _ in range(size))
            offset = [None] * head + [[places[c], places[min(c + rng.randint(0, 4), len(context))]] for c in cuts] + [None] * tail
            spans.append(offset)
            pool = rng.sample(range(-4000, 4000), 2 * len(offset))
            starts.append([v / 256 for v in pool[:len(offset)]])
            ends.append([v / 256 for v in pool[len(offset):]])
        if rng.random() < 0.3:
            starts[0][0] = ends[0][0] = 9.0
        cases.append({"context": context, "offsets": spans, "starts": starts, "ends": ends})
    return cases


def main():
    command, *args = sys.argv[1:] or ["golden"]
    if command == "features":
        with open(args[1], encoding="utf-8") as file:
            json.dump(features(load_tokenizer(args[0]), json.load(file), int(args[2]), int(args[3])), sys.stdout)
        return
    rng = random.Random(11)
    golden = {"features": {}}
    for name, file, length, stride in (("bert", "own-v1.json", 128, 48), ("bert", "own-v2.json", 96, 60), ("roberta", "own-v1.json", 160, 64), ("roberta", "own-v2.json", 200, 20)):
        with open(os.path.join(OUT, file), encoding="utf-8") as data:
            rows = features(load_tokenizer(os.path.join(ROOT, "test", "golden", "tokenizers", name)), json.load(data), length, stride)
        golden["features"][f"{name} {file} {length} {stride}"] = rows
    spans = span_cases(rng)
    golden["spans"] = [case | {"v1": postprocess(case["context"], case["offsets"], case["starts"], case["ends"], False),
                               "v2": postprocess(case["context"], case["offsets"], case["starts"], case["ends"], True)} for case in spans]
    v1, v2 = metric_cases(rng)
    golden["metrics"] = {"v1": {"cases": v1, "expected": score_v1(v1)}, "v2": {"cases": v2, "expected": score_v2(v2)}}
    with open(os.path.join(OUT, "golden.json"), "w", encoding="ascii") as out:
        json.dump(golden, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


main()
