"""Writes a folder with a small T5 of random weights and a Unigram tokenizer trained on the given texts.

    small_t5.py --texts FILE.jsonl --out DIR [--gated]    (transformers 5.23, tokenizers 0.23)

FILE has a `text` on each line. v1.0 (ReLU, tied head), or with --gated v1.1 (gated GELU, untied). Train it with
`deft train --method full --task seq2seq`; see docs/explanation/methods.md.
"""

import argparse
import json
import pathlib

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

parser = argparse.ArgumentParser()
parser.add_argument("--texts", type=pathlib.Path, required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
parser.add_argument("--gated", action="store_true")
parser.add_argument("--vocab", type=int, default=4000)
parser.add_argument("--width", type=int, default=128)
parser.add_argument("--layers", type=int, default=3)
options = parser.parse_args()

trainee = Tokenizer(models.Unigram())
trainee.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
trainer = trainers.UnigramTrainer(
    vocab_size=options.vocab, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
)
texts = [json.loads(line)["text"] for line in options.texts.open(encoding="utf8")]
# the words that are to be written must be in the vocabulary too
trainee.train_from_iterator(texts + ["positive", "negative"] * 500, trainer)
vocab = [(piece, score) for piece, score in json.loads(trainee.to_str())["model"]["vocab"]]
tokenizer = transformers.T5Tokenizer(vocab=vocab, extra_ids=0)
tokenizer.save_pretrained(options.out)

torch.manual_seed(0)
config = transformers.T5Config(
    vocab_size=len(tokenizer),
    d_model=options.width,
    d_kv=32,
    d_ff=4 * options.width,
    num_layers=options.layers,
    num_heads=options.width // 32,
    feed_forward_proj="gated-gelu" if options.gated else "relu",
    tie_word_embeddings=not options.gated,
    dropout_rate=0.1,
    decoder_start_token_id=0,
)
model = transformers.T5ForConditionalGeneration(config)
model.save_pretrained(options.out)
print(f"{options.out}: {len(tokenizer)} pieces, {sum(p.numel() for p in model.parameters()):,} parameters")
