"""Writes a random checkpoint of a named shape for the benchmarks: checkpoint.py SHAPE FOLDER."""
import sys

from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

import torch

SHAPES = {
    "roberta-large": RobertaConfig(vocab_size=50265, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1),
    "roberta-base": RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1),
    "minilm": BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
}
torch.manual_seed(0)
config = SHAPES[sys.argv[1]]
kind = RobertaForSequenceClassification if config.model_type == "roberta" else BertForSequenceClassification
kind(config).save_pretrained(sys.argv[2])
