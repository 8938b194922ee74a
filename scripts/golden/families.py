"""How each family of encoders is called in transformers: classes, keys of its config, layers, heads, and where its MLPs are."""

import dataclasses
from collections.abc import Callable

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.models.modernbert import modeling_modernbert


@dataclasses.dataclass(frozen=True)
class Place:
    """A sublayer where a bottleneck may stand, by paths below its block."""

    site: str
    out: str  # the layer whose output it is given
    norm: str  # behind the sum with the residual; of a pre-norm block, before the sublayer
    is_post_norm: bool = True


@dataclasses.dataclass(frozen=True)
class Family:
    classes: str  # `Bert` of `BertForSequenceClassification`
    config: dict
    blocks: str = "encoder.layer"
    keys: dict = dataclasses.field(default_factory=dict)  # what it calls BERT's keys
    lora: tuple[str, ...] = ("query", "value")
    # trained for every task
    head: tuple[str, ...] = ("classifier",)
    span_head: str = "qa_outputs"
    attention: Place = Place("attention.output", "attention.output.dense", "attention.output.LayerNorm")
    mlp: Place = Place("output", "output.dense", "output.LayerNorm")
    # where an MLP's activations are, and its activation function there
    activation: str = "intermediate"
    function: str = "intermediate_act_fn"
    # a layer with a bias whose first neurons are made hardly ever active
    into: str | None = "intermediate.dense"
    segments: bool = True

    def keyed(self, config: dict) -> dict:
        """BERT's keys as this family calls them; None: it has none."""
        return {self.keys.get(k, k): v for k, v in config.items() if self.keys.get(k, k) is not None}


SMALL = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
ROBERTA = {"type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}

FAMILIES = {
    "bert": Family("Bert", {"type_vocab_size": 2, "pad_token_id": 0, "layer_norm_eps": 1e-12}),
    "roberta": Family("Roberta", ROBERTA),
    "xlm-roberta": Family("XLMRoberta", SMALL | ROBERTA),
    "camembert": Family("Camembert", SMALL | ROBERTA),
    "distilbert": Family(
        "DistilBert",
        SMALL | {"pad_token_id": 0, "dropout": 0.0, "attention_dropout": 0.0, "qa_dropout": 0.0, "seq_classif_dropout": 0.0},
        blocks="transformer.layer",
        keys={
            "hidden_size": "dim", "intermediate_size": "hidden_dim", "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads", "hidden_act": "activation", "hidden_dropout_prob": None,
            "attention_probs_dropout_prob": None, "layer_norm_eps": None,
        },
        lora=("q_lin", "v_lin"),
        head=("pre_classifier", "classifier"),
        attention=Place("attention", "attention.out_lin", "sa_layer_norm"),
        mlp=Place("ffn", "ffn.lin2", "output_layer_norm"),
        activation="ffn", function="activation", into="ffn.lin1", segments=False,
    ),
    "electra": Family("Electra", SMALL | {"embedding_size": 10, "type_vocab_size": 2, "pad_token_id": 0}),
    "mpnet": Family(
        "MPNet",
        SMALL | {"pad_token_id": 1, "layer_norm_eps": 1e-5},
        lora=("q", "v"),
        attention=Place("attention", "attention.attn.o", "attention.LayerNorm"),
        segments=False,
    ),
    "modernbert": Family(
        "ModernBert",
        SMALL | {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3, "local_attention": 6},
        blocks="layers",
        keys={
            "hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps", "hidden_dropout_prob": None,
            "attention_probs_dropout_prob": None,
        },
        lora=("Wqkv",), span_head="classifier",
        attention=Place("attn", "attn.Wo", "attn_norm", is_post_norm=False),
        mlp=Place("mlp", "mlp.Wo", "mlp_norm", is_post_norm=False),
        activation="mlp", function="act", into=None, segments=False,
    ),
}


own_attention = modeling_modernbert.eager_attention_forward


def attention_in_own_precision(module, query, key, value, attention_mask, scaling, **kwargs):
    """ModernBERT's softmax is float32 whatever the model is: a float64's mask is infinite in it, and a query without keys NaN."""
    if query.dtype != torch.float64:
        return own_attention(module, query, key, value, attention_mask, scaling, **kwargs)
    scores = query @ key.transpose(2, 3) * scaling + (0 if attention_mask is None else attention_mask)
    weights = nn.functional.softmax(scores, dim=-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights


modeling_modernbert.eager_attention_forward = attention_in_own_precision


def family_of(config) -> Family:
    return FAMILIES[config.model_type]


class Bottleneck(nn.Module):
    def __init__(self, owner: nn.Module, hidden: int, factor: int, act: str, generator: torch.Generator):
        super().__init__()
        bottleneck = hidden // factor
        self.act = ACT2FN[act]
        # the parameters are the sublayer's, so that they have its path
        owner.adapter_down = nn.Linear(hidden, bottleneck)
        owner.adapter_up = nn.Linear(bottleneck, hidden)
        object.__setattr__(self, "owner", owner)
        with torch.no_grad():
            for linear in (owner.adapter_down, owner.adapter_up):
                for p, std in ((linear.weight, linear.weight.shape[1] ** -0.5), (linear.bias, 0.2)):
                    p.copy_(torch.randn(p.shape, generator=generator) * std * 0.5)

    def forward(self, z):
        return self.owner.adapter_up(self.act(self.owner.adapter_down(z)))


def attach(block: nn.Module, place: Place, of_sum: bool, make: Callable[[nn.Module], Bottleneck]) -> None:
    """AdapterHub's bottleneck on what a sublayer gives: it reads the sum with the residual (behind the norm, where that is), or `h` alone."""
    site = block.get_submodule(place.site)
    bottleneck = make(site)
    norm, out = block.get_submodule(place.norm), block.get_submodule(place.out)
    # for whoever stands in the sublayer's place: not its submodule, so that the parameters' paths stay
    object.__setattr__(site, "bottleneck", bottleneck)
    object.__setattr__(site, "plain_norm", norm.forward)
    seen = {}
    if place.is_post_norm:
        out.register_forward_hook(lambda _m, _i, h: seen.__setitem__("h", h))
        plain = norm.forward
        norm.forward = lambda total: plain(total + bottleneck(plain(total) if of_sum else seen["h"]))
        return
    norm.register_forward_pre_hook(lambda _m, inputs: seen.__setitem__("x", inputs[0]))
    out.register_forward_hook(lambda _m, _i, h: h + bottleneck(seen["x"] + h if of_sum else h))
