"""Reference records of BERT, RoBERTa and other encoders with every method, by PyTorch, transformers and peft.

    encoders.py --out DIR                        every case, with its checkpoints
    encoders.py --out DIR --case 'bert-gelu.*'   cases by pattern (may be repeated); --list prints the names
    encoders.py --out DIR --golden               the small selection kept in test/golden/encoders
    encoders.py --out DIR --checkpoint MODEL     the methods on a real checkpoint (BertModel or RobertaModel), as
                                                 cases `checkpoint.<method>`

Written: `DIR/checkpoints/<variant>/{config.json, model.safetensors…}`, made by `save_pretrained`, and for each case
`<variant>.<method>` one `DIR/<case>.json` (scalars) and one `DIR/<case>.safetensors` (tensors).

Dropout is off. Everything is deterministic: seeds come from the names. Numbers are PyTorch's in float32; each `…Noise`
is the largest absolute difference to the same run in float64, that is, what rounding alone does.

Tensors
    batch/<i>/input_ids, attention_mask, token_type_ids   [B, S] int64; i counts from 0; S differs from batch to batch
    batch/<i>/start_positions, end_positions   [B] int64, for spans, instead of labels
    batch/<i>/labels        [B] int64, or [B] float32 (regression), or [B, C] float32 (multi-label), or [B, S] int64 with
                            -100 where a token has none (tokens)
    init/<name>             the start of a trainable, where it is not the checkpoint's own value
    forward/logits          [B, C], batch 0, at the start; for spans [B, S, 2], start and end; for tokens [B, S, C]
    activation/<site>       [B, S, F], batch 0, at the start, after the MLP's activation function (not in --golden)
    grad/<objective>/<name> gradient on batch 0, at the start, before clipping; zeros where the loss does not depend
    final/<objective>/<name> the trainable after 20 steps

Names are ours: the parameter's checkpoint name as in `BertForSequenceClassification`, also when the checkpoint lacks
the `bert.` prefix; `<site>.lora_A.weight` [R, in], `<site>.lora_B.weight` [out, R], site the linear's checkpoint path;
`<site>.adapter_down.weight|bias` [D/r, D], `<site>.adapter_up.weight|bias` [D, D/r], site `….output` (Pfeiffer) and
`….attention.output` (Houlsby too); tap sites `….layer.<l>.intermediate`.

Scalars
    case, format, versions
    checkpoint     folder relative to DIR; null for --checkpoint
    problem        single_label_classification (mean cross entropy) | regression (mean squared error)
                   | multi_label_classification (mean binary cross entropy with logits); numLabels C
                   | question_answering (half the mean cross entropy of the start and half that of the end, positions
                   outside the text left out) | token_classification (mean cross entropy of labelled tokens)
    method         {kind: "lora", rank, alpha, dropout: 0, rslora, bias: none|lora_only|all, targets, sites[], scaling}
                   with maskSafe its update is multiplied by where the base's matrix is not zero
                   {kind: "adapter", style: pfeiffer|houlsby, reductionFactor, nonLinearity, originalLnBefore, sites[]}
                   {kind: "head"} (classifier only; a BERT pooler stays frozen) | {kind: "full"}; the classification
                   head is trained in all of them
    trainables[]   {name, shape, decays, start: "record" (init/<name>) | "checkpoint"}, in PyTorch's order
    batches        how many
    virtualTokens  at the front of every tap, 0 but for prompt tuning (hooks.py): counted by "all", not by "attended"
    objectives     name → {positions: "all" | "attended" | null, epsilon, weight}; total = task + weight · density
    forward        batch 0: {taskLoss, taskLossNoise, logitsNoise, taps[] (sites in layer order),
                   density: objective → {loss, layers[], noise, total}}
    gradients      objective → {total, totalNoise, of: name → {max, noise}} (largest absolute entry)
    training       objective → {steps, learningRate, schedule, warmupSteps, weightDecay, maxGradNorm, betas,
                   adamEpsilon, learningRates[], taskLosses[], densityLosses[], totalLosses[], gradNorms[] (before
                   clipping), noise: {of each list}, finalNoise: name → number} (both null for --checkpoint); step t
                   uses batch t mod batches, its losses are those before its update; the schedule is transformers'
                   linear one with ceil(0.06 · 20) = 2 warm-up steps, so step 0 has rate 0; weight decay is torch's
                   AdamW's, on the trainables that `decays` (not on biases and norms, as in transformers' Trainer)
    measurement[]  per layer over all batches, at the start: {site, neurons, samples, tokens (attended), entriesAll,
                   nonzeroAll, entries, nonzero (attended), above: τ → count of |a| > τ (attended), paper, exact,
                   thresholds: τ → share, deadNeurons, rareNeurons} and `…Near`: how many entries of a count rounding
                   could move. `paper` is the mean over samples, each over its batch's padded positions

Adapters (METHOD.md section 4), h the sublayer's output, x its residual input, LN the sublayer's own norm:
`LN(x + h + U·act(D·z))` with z = LN(x + h) if originalLnBefore else h. AdapterHub's `seq_bn` is relu with
originalLnBefore, its `double_seq_bn` is swish (silu) without.

Traps: torch gives no gradient to the padding row of an embedding with `padding_idx` (word embeddings at pad_token_id;
RoBERTa's position embeddings too), though decay still moves it. Gradients of key biases are zero but for rounding: see
their noise. With ε = 1e-7 the density gradient is so steep near 0 that PyTorch in float32 is off PyTorch in float64 by
up to 1e-3 of a gradient, and by up to 5e-2 of the loss after 20 steps: gradients are recorded for it, training is not.
peft's "all-linear" takes BERT's pooler.dense in, and leaves the classification head out.
"""

import argparse
import dataclasses
import fnmatch
import functools
import os
import pathlib
import re
import types
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import safetensors.torch
import tokenizers
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch import nn

from families import FAMILIES, Bottleneck, attach, family_of
from reference import Build, Case, seeded, trainables_of, write_record

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore", message=".*bias=.*")

TINY = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "num_labels": 2,
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """A checkpoint to make: changed config keys, and how it is stored."""

    family: str
    config: dict = dataclasses.field(default_factory=dict)
    bare: bool = False  # saved as BertModel or RobertaModel: no prefix, no head
    legacy: bool = False  # LayerNorm.gamma and .beta
    dtype: torch.dtype = torch.float32
    shard: str = "1GB"
    left: bool = False  # padded on the left
    span: bool = False  # start and end of an answer instead of a class
    tokens: bool = False  # a class for each token
    pruned: bool = False  # the smaller half of each matrix of the blocks is zero
    methods: tuple[str, ...] = ()


CORE = ("lora-qv", "lora-all-bias", "adapter-pfeiffer", "adapter-houlsby", "head", "full")
EXTRA = ("lora-all", "lora-rs", "lora-bias-all")


def variants() -> dict[str, Variant]:
    made: dict[str, Variant] = {}

    def add(family: str, label: str, config=None, methods=CORE, **kind):
        made[f"{family}-{label}"] = Variant(family, config or {}, methods=methods, **kind)

    for family in ("bert", "roberta"):
        add(family, "gelu", methods=CORE + EXTRA)
        add(family, "relu", {"hidden_act": "relu", "num_hidden_layers": 3})
        for act in ("gelu_new", "silu"):
            add(family, act.replace("_", "-"), {"hidden_act": act})
        add(family, "regression", {"num_labels": 1})
        add(family, "3-labels", {"num_labels": 3, "num_hidden_layers": 3})
        add(family, "multi-label", {"num_labels": 3, "problem_type": "multi_label_classification"})
        add(family, "eps-1e-3", {"layer_norm_eps": 1e-3})
        add(family, "bare", bare=True)
        add(family, "left", left=True)
        add(family, "sharded", shard="40KB")
        add(family, "span", methods=("lora-qv", "adapter-pfeiffer", "head", "full"), span=True)
        add(family, "tokens", {"num_labels": 3}, methods=("lora-qv", "adapter-pfeiffer", "head", "full"), tokens=True)
        add(family, "pruned", methods=("lora-mask-safe",), pruned=True)
    for family in sorted(FAMILIES.keys() - {"bert", "roberta"}):
        add(family, "gelu", methods=CORE + ("lora-all",))
        add(family, "relu", {"hidden_act": "relu", "num_hidden_layers": 3}, methods=("full", "adapter-pfeiffer"))
        add(family, "regression", {"num_labels": 1}, methods=("lora-qv",))
        add(family, "multi-label", {"num_labels": 3, "problem_type": "multi_label_classification"}, methods=("full",))
        add(family, "bare", methods=("lora-qv", "full"), bare=True)
        add(family, "left", methods=("full",), left=True)
        add(family, "span", methods=("lora-qv", "full"), span=True)
        add(family, "tokens", {"num_labels": 3}, methods=("head", "full"), tokens=True)
    add("modernbert", "mean", {"classifier_pooling": "mean"}, methods=("full",))
    biased = {"norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True}
    add("modernbert", "biases", biased, methods=("full", "lora-all-bias"))
    for act in ("gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "tanh"):
        add("bert", act.replace("_", "-"), {"hidden_act": act})
    add("bert", "types-1", {"type_vocab_size": 1})
    add("bert", "pad-3", {"pad_token_id": 3})
    add("bert", "positions-11", {"max_position_embeddings": 11})
    add("bert", "legacy", legacy=True)
    add("bert", "bf16", dtype=torch.bfloat16)
    add("roberta", "types-2", {"type_vocab_size": 2})
    add("roberta", "pad-0", {"pad_token_id": 0})
    add("roberta", "positions-13", {"max_position_embeddings": 13})
    add("roberta", "fp16", dtype=torch.float16)
    # the rest of transformers' activations, one case each
    for act in ("gelu_python", "gelu_python_tanh", "gelu_accurate", "gelu_10", "swish", "sigmoid", "mish", "leaky_relu",
                "relu6", "relu2", "hardswish", "linear", "laplace", "sqrtsoftplus"):  # fmt: skip
        label = f"act-{act.replace('_', '-')}"
        add("bert", label, {"hidden_act": act, "num_hidden_layers": 1}, methods=("full",))
    return made


# of BERT and of what transformers builds as RoBERTa some are kept, of every other family these
AS_ROBERTA = ("bert", "roberta", "xlm-roberta", "camembert")
EACH = (
    "gelu.lora-qv", "gelu.lora-all", "gelu.adapter-pfeiffer", "gelu.head", "gelu.full", "span.lora-qv", "tokens.head",
)  # fmt: skip
GOLDEN = (
    "bert-gelu.lora-qv", "bert-gelu.adapter-pfeiffer", "bert-gelu.full",
    "roberta-gelu.lora-all-bias", "roberta-gelu.adapter-houlsby", "roberta-gelu.head",
    "bert-span.lora-qv", "roberta-span.head", "bert-tokens.head", "roberta-tokens.lora-qv",
    "xlm-roberta-gelu.lora-qv", "xlm-roberta-tokens.head", "camembert-gelu.adapter-pfeiffer", "camembert-span.lora-qv",
    *(f"{family}-{case}" for family in FAMILIES if family not in AS_ROBERTA for case in EACH),
    "modernbert-mean.full",
)  # fmt: skip


@torch.no_grad()
def randomise(model: nn.Module, generator: torch.Generator) -> None:
    """Random weights of a trained model's sizes: no zero bias, no unit norm, some neurons that are hardly ever on."""

    def normal(shape, std):
        return torch.randn(shape, generator=generator) * std

    into = family_of(model.config).into
    norms = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)}
    for name, p in model.named_parameters():
        if name in norms:
            p.copy_(1 + normal(p.shape, 0.2))
        elif "embeddings" in name and p.dim() == 2:
            p.copy_(normal(p.shape, 0.7))
        elif p.dim() == 2:
            p.copy_(normal(p.shape, p.shape[1] ** -0.5))
        else:
            p.copy_(normal(p.shape, 0.3))
        if into is not None and name.endswith(f"{into}.bias"):
            p[:5] -= 12.0
            p[5:12] -= 3.5


@torch.no_grad()
def prune(model: nn.Module) -> None:
    """Zeroes the smaller half of each linear layer of the blocks, where mask-safe LoRA must leave it."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and re.search(r"\.\d+\.", name):
            module.weight[module.weight.abs() < module.weight.abs().median()] = 0


def make_checkpoint(name: str, variant: Variant, folder: pathlib.Path) -> None:
    family = FAMILIES[variant.family]
    kind = "QuestionAnswering" if variant.span else "TokenClassification" if variant.tokens else "SequenceClassification"
    end = "Model" if variant.bare else f"For{kind}"
    config = getattr(transformers, f"{family.classes}Config")(**family.keyed(TINY | family.config | variant.config))
    if not variant.bare:
        config.architectures = [f"{family.classes}{end}"]
    model = getattr(transformers, f"{family.classes}{end}")(config)
    randomise(model, seeded(name))
    if variant.pruned:
        prune(model)
    model.to(variant.dtype).save_pretrained(folder, max_shard_size=variant.shard)
    if variant.legacy:
        file = folder / "model.safetensors"
        tensors = safetensors.torch.load_file(file)
        old = {n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
               for n, t in tensors.items()}  # fmt: skip
        safetensors.torch.save_file(old, file, metadata={"format": "pt"})


def is_class(config, suffix: str) -> bool:
    return any(name.endswith(suffix) for name in config.architectures or [])


def is_span(config) -> bool:
    return is_class(config, "ForQuestionAnswering")


def is_tokens(config) -> bool:
    return is_class(config, "ForTokenClassification")


def head_modules(config) -> tuple[str, ...]:
    """The modules of a model's head, which every method trains."""
    family = family_of(config)
    if is_span(config):
        return (family.span_head,)
    return ("classifier",) if is_tokens(config) else family.head


def load(folder: pathlib.Path) -> nn.Module:
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    auto = transformers.AutoModelForSequenceClassification
    auto = transformers.AutoModelForTokenClassification if is_tokens(config) else auto
    # what a bare checkpoint lacks is drawn, and must be the same in every build
    torch.manual_seed(0)
    model = (transformers.AutoModelForQuestionAnswering if is_span(config) else auto).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return model.requires_grad_(False).eval()


@torch.no_grad()
def restart_head(model: nn.Module, name: str) -> None:
    """A new classification head, so that its start cannot be taken from the checkpoint by mistake."""
    generator = seeded(f"{name}/head")
    for name in head_modules(model.config):
        head = getattr(model, name)
        for p in head.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * (p.shape[-1] ** -0.5 if p.dim() == 2 else 0.1))
        head.requires_grad_(True)


LORA = {
    "lora-qv": {"target_modules": ["query", "value"]},
    "lora-all": {"target_modules": "all-linear"},
    "lora-all-bias": {"target_modules": "all-linear", "bias": "lora_only"},
    "lora-rs": {"target_modules": ["query", "key", "value"], "use_rslora": True, "r": 3, "lora_alpha": 6},
    "lora-bias-all": {"target_modules": ["query", "value"], "bias": "all"},
    "lora-mask-safe": {"target_modules": "all-linear"},
}


def mask_safe_forward(self, x, *_, **__):
    """peft's Linear with its update where the base is not zero: x · (W + M ⊙ scale·B·A)ᵀ + b."""
    base = self.base_layer
    update = self.lora_B["default"].weight @ self.lora_A["default"].weight * self.scaling["default"]
    return nn.functional.linear(x, base.weight + (base.weight != 0) * update, base.bias)


def mask_safe(build: Build) -> Build:
    """The model of `build` with every update masked; as in SQFT's SparsePEFT."""
    for module in build.model.modules():
        if hasattr(module, "lora_A"):
            module.forward = types.MethodType(mask_safe_forward, module)
    return dataclasses.replace(build, method=build.method | {"maskSafe": True})


def with_lora(model: nn.Module, method: str, name: str) -> Build:
    # peft's QUESTION_ANS wrapper drops token types, so spans go without one
    modules = {"modules_to_save": list(head_modules(model.config))}
    head = modules if is_span(model.config) else {"task_type": "SEQ_CLS"}
    if is_tokens(model.config):
        head = {"task_type": "TOKEN_CLS"}
    elif len(modules["modules_to_save"]) > 1:
        head |= modules
    chosen = dict(LORA[method])
    if method == "lora-qv":
        chosen["target_modules"] = list(family_of(model.config).lora)
    config = LoraConfig(**head | {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0} | chosen)
    targets = config.target_modules if isinstance(config.target_modules, str) else sorted(config.target_modules)
    model = get_peft_model(model, config)
    generator = seeded(f"{name}/lora")
    sites = []
    with torch.no_grad():
        for path, module in model.named_modules():
            if not hasattr(module, "lora_A"):
                continue
            sites.append(path.removeprefix("base_model.model."))
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
            a.copy_(torch.randn(a.shape, generator=generator) * a.shape[1] ** -0.5)
            b.copy_(torch.randn(b.shape, generator=generator) * 0.1)
            scaling = module.scaling["default"]
    facts = {
        "kind": "lora", "rank": config.r, "alpha": config.lora_alpha, "dropout": 0, "rslora": config.use_rslora,
        "bias": config.bias, "targets": targets, "sites": sites, "scaling": scaling,
    }  # fmt: skip
    return Build(model, trainables_of(model), facts)


ADAPTER = {
    "adapter-pfeiffer": ("pfeiffer", "relu", True),
    "adapter-houlsby": ("houlsby", "swish", False),
}


def with_adapter(model: nn.Module, method: str, name: str) -> Build:
    style, act, ln_before = ADAPTER[method]
    hidden = model.config.hidden_size
    factor = 8 if hidden < 100 else 16
    family, generator, sites = family_of(model.config), seeded(f"{name}/adapter"), []
    stack = f"{model.base_model_prefix}.{family.blocks}"
    for i, block in enumerate(model.get_submodule(stack)):
        for place in (family.mlp,) if style == "pfeiffer" else (family.attention, family.mlp):
            attach(block, place, ln_before, lambda owner: Bottleneck(owner, hidden, factor, act, generator))
            sites.append(f"{stack}.{i}.{place.site}")
    facts = {
        "kind": "adapter", "style": style, "reductionFactor": factor, "nonLinearity": act,
        "originalLnBefore": ln_before, "sites": sites,
    }  # fmt: skip
    return Build(model, trainables_of(model), facts)


def build(folder: pathlib.Path, method: str, name: str) -> Build:
    """The model of a checkpoint with a method, its trainables at their start."""
    model = load(folder)
    restart_head(model, name)
    if method in LORA:
        build = with_lora(model, method, name)
        return mask_safe(build) if method == "lora-mask-safe" else build
    if method in ADAPTER:
        return with_adapter(model, method, name)
    if method == "full":
        model.requires_grad_(True)
    return Build(model, trainables_of(model), {"kind": method})


def answers_for(lengths: list[int], left: bool, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Start and end of each row; of two rows one lies outside the text, as transformers' own loss allows."""
    longest = max(lengths)
    starts, ends = [], []
    for row, length in enumerate(lengths):
        first = longest - length if left else 0
        start, more = (int(torch.randint(0, n, (1,), generator=generator)) for n in (length, 4))
        starts.append(longest + 3 if row == 1 else first + start)
        ends.append(longest if row == 2 else first + min(start + more, length - 1))
    return {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}


def token_labels(lengths: list[int], config, left: bool, generator: torch.Generator) -> torch.Tensor:
    """A class for two of three tokens inside each text, -100 elsewhere; of two rows or more the last has none."""
    longest = max(lengths)
    labels = torch.full((len(lengths), longest), -100)
    for row, length in enumerate(lengths):
        first = longest - length if left else 0
        drawn = torch.randint(0, config.num_labels, (length,), generator=generator)
        kept = torch.rand(length, generator=generator) < 0.67
        kept[0] = True
        if row == 0 or row < len(lengths) - 1:
            labels[row, first : first + length] = torch.where(kept, drawn, -100)
    return labels


def labels_for(config, count: int, generator: torch.Generator) -> torch.Tensor:
    if config.num_labels == 1:
        return torch.rand(count, generator=generator) * 5
    if config.problem_type == "multi_label_classification":
        return torch.randint(0, 2, (count, config.num_labels), generator=generator).float()
    return torch.randint(0, config.num_labels, (count,), generator=generator)


def padded(rows: list[list[int]], types: list[list[int]], pad: int, left: bool) -> dict[str, torch.Tensor]:
    length = max(map(len, rows))

    def table(values, fill):
        pads = [[fill] * (length - len(row)) for row in values]
        return torch.tensor([p + r if left else r + p for r, p in zip(values, pads, strict=True)])

    return {
        "input_ids": table(rows, pad),
        "attention_mask": table([[1] * len(row) for row in rows], 0),
        "token_type_ids": table(types, 0),
    }


def has_segments(config) -> bool:
    return family_of(config).segments and config.type_vocab_size > 1


def random_batches(config, name: str, left: bool) -> list[dict[str, torch.Tensor]]:
    """Four batches: unequal lengths, shorter, without padding, and a single example."""
    generator, batches = seeded(f"{name}/batches"), []
    for lengths in ([11, 7, 4, 9], [8, 5, 8], [6, 6, 6, 6], [5]):
        rows, types = [], []
        for length in lengths:
            ids = torch.randint(4, config.vocab_size, (length,), generator=generator).tolist()
            rows.append(ids)
            second = length // 2 if has_segments(config) else length
            types.append([0] * second + [1] * (length - second))
        batch = padded(rows, types, config.pad_token_id, left)
        if is_tokens(config):
            labels = {"labels": token_labels(lengths, config, left, generator)}
        else:
            labels = {} if is_span(config) else {"labels": labels_for(config, len(lengths), generator)}
        answers = answers_for(lengths, left, generator) if is_span(config) else {}
        batches.append(batch | labels | answers)
    return batches


TEXTS = [
    "The train to the coast leaves at noon.",
    "It never quite works",
    "Nobody had told the gardener that the café would close early, so he waited by the gate until it was dark.",
    "one of the year's best",
    "no",
    "Prices rose by 3.5% in the first quarter, although most shops had promised to keep them where they were.",
    "overlong and dull , sadly",
    "She plays the violin, and sometimes, when the windows are open, the whole street listens.",
    "unflinchingly bleak",
    "We were told to bring water, bread and a lamp.",
    "so-so",
    "Splendid!",
]


def text_batches(folder: pathlib.Path, config) -> list[dict[str, torch.Tensor]]:
    """Two batches of real sentences, alone and in pairs, by the folder's own tokenizer.json."""
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    generator = seeded("checkpoint/batches")
    pairs = list(zip(TEXTS[:4], TEXTS[4:8], strict=True))
    batches = []
    for texts in (TEXTS[:8], pairs + TEXTS[8:]):
        coded = tokenizer.encode_batch(texts)
        types = [c.type_ids if has_segments(config) else [0] * len(c.ids) for c in coded]
        batch = padded([c.ids for c in coded], types, config.pad_token_id, False)
        batches.append(batch | {"labels": labels_for(config, len(texts), generator)})
    return batches


def stored_tensors(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    """What the model takes from the checkpoint, by the model's names."""
    names = set()
    for file in folder.glob("*.safetensors"):
        with safetensors.safe_open(file, "pt") as opened:
            names |= {n.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
                      for n in opened.keys()}  # fmt: skip
    model = load(folder)
    prefix = f"{model.base_model_prefix}."
    return {n: p.detach() for n, p in model.named_parameters() if n in names or n.removeprefix(prefix) in names}


def tiny_case(out: pathlib.Path, name: str, golden: bool) -> Case:
    variant_name, method = name.split(".")
    variant = variants()[variant_name]
    folder = out / "checkpoints" / variant_name
    if not (folder / "config.json").exists():
        make_checkpoint(variant_name, variant, folder)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    case = Case(
        name=name,
        build=functools.partial(build, folder, method, name),
        batches=random_batches(config, variant_name, variant.left),
        checkpoint=f"checkpoints/{variant_name}",
        stored=stored_tensors(folder),
        learning_rate=1e-3 if method == "full" else 5e-3,
    )
    if golden:
        case.activations = False
        case.training = ("attended-1e-2",)
        case.gradients = ("attended-1e-2",) if method == "full" else ("attended-1e-2", "all-1e-7")
    return case


def real_case(folder: pathlib.Path, method: str) -> Case:
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    name = f"checkpoint.{method}"
    return Case(
        name=name,
        build=functools.partial(build, folder, method, name),
        batches=text_batches(folder, config),
        checkpoint=None,
        stored=stored_tensors(folder),
        learning_rate=5e-4,
        training=("attended-1e-2",),
        activations=False,
        training_noise=False,
    )


def select(names: list[str], patterns: list[str] | None) -> list[str]:
    if not patterns:
        return names
    chosen = [n for n in names if any(fnmatch.fnmatchcase(n, p) for p in patterns)]
    if not chosen:
        raise SystemExit(f"encoders.py: --case {' '.join(patterns)} matches none of {len(names)} cases; see --list")
    return chosen


def main():
    parser = argparse.ArgumentParser(description="reference records of encoders")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--case", action="append", help="a name or a pattern; may be repeated")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="a real model folder")
    parser.add_argument("--golden", action="store_true", help="the committed selection, without activations")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.checkpoint:
        names = [f"checkpoint.{method}" for method in ("lora-qv", "lora-all", *CORE[2:5])]
    elif options.golden:
        names = list(GOLDEN)
    else:
        names = [f"{name}.{method}" for name, variant in variants().items() for method in variant.methods]
    names = select(names, options.case)
    if options.list:
        print("\n".join(names))
        return
    if options.out is None:
        parser.error("--out is needed")
    for name in names:
        if options.checkpoint:
            case = real_case(options.checkpoint, name.split(".")[1])
        else:
            case = tiny_case(options.out, name, options.golden)
        write_record(options.out, case)
        print(name, flush=True)


if __name__ == "__main__":
    main()
