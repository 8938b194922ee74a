"""Writes a random checkpoint of a named shape for the benchmarks: checkpoint.py SHAPE FOLDER; SHAPE is a name or bert-LAYERSxWIDTH."""
import re
import sys

from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification, T5Config, T5ForConditionalGeneration

import torch

SHAPES = {
    "roberta-large": RobertaConfig(vocab_size=50265, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1),
    "roberta-base": RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1),
    "flan-t5-small": T5Config(vocab_size=32128, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6, feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0),
    "flan-t5-base": T5Config(vocab_size=32128, d_model=768, d_kv=64, d_ff=2048, num_layers=12, num_heads=12, feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0),
    "minilm": BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
}
torch.manual_seed(0)
own = re.fullmatch(r"bert-(\d+)x(\d+)", sys.argv[1])
if own:
    layers, width = map(int, own.groups())
    config = BertConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 32, intermediate_size=4 * width)
else:
    config = SHAPES[sys.argv[1]]
KINDS = {"roberta": RobertaForSequenceClassification, "bert": BertForSequenceClassification, "t5": T5ForConditionalGeneration}
KINDS[config.model_type](config).save_pretrained(sys.argv[2])
