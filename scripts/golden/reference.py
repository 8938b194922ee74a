"""The reference run behind every record: losses, gradients, AdamW steps and density counts by PyTorch.

Every number is computed twice, in float32 (what the record holds) and in float64; their difference is the record's
`noise`: what rounding alone does to that number, and so the least any float32 engine can be asked to reach.
The format of the records is described at the top of encoders.py.
"""

import dataclasses
import functools
import json
import pathlib
import re
import sys
import zlib
from collections.abc import Callable

import numpy
import peft
import safetensors
import safetensors.torch
import torch
import transformers
from torch import nn
from transformers.trainer_pt_utils import get_parameter_names

from families import FAMILIES

FORMAT = 1
THRESHOLDS = ["0.0001", "0.001", "0.01", "0.05", "0.1"]
DEAD_THRESHOLD, RARE_SHARE = 1e-2, 0.01
STEPS, WARMUP_SHARE, WEIGHT_DECAY, MAX_GRAD_NORM = 20, 0.06, 0.01, 1.0
# as transformers' Trainer.get_decay_parameter_names
NO_DECAY = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]


@dataclasses.dataclass(frozen=True)
class Objective:
    """`task + weight · density`; positions None: the task loss alone."""

    positions: str | None
    epsilon: float
    weight: float


OBJECTIVES = {
    "task": Objective(None, 0.0, 0.0),
    "attended-1e-2": Objective("attended", 1e-2, 1.0),
    "attended-1e-7": Objective("attended", 1e-7, 1.0),
    "all-1e-2": Objective("all", 1e-2, 0.5),
    "all-1e-7": Objective("all", 1e-7, 0.5),
}


@dataclasses.dataclass
class Build:
    """A model ready to run. `virtual` is the number of virtual tokens at the front of every tapped sequence.

    `parts` cuts a trainable into those that we have in its place, by their names; values, gradients and updates alike.
    """

    model: nn.Module
    trainables: dict[str, nn.Parameter]
    method: dict
    virtual: int = 0
    parts: Callable[[str, torch.Tensor], dict[str, torch.Tensor]] = lambda name, value: {name: value}


@dataclasses.dataclass
class Case:
    """One record to be made. `build` must give the same model each time, in float32."""

    name: str
    build: Callable[[], Build]
    batches: list[dict[str, torch.Tensor]]
    checkpoint: str | None
    stored: dict[str, torch.Tensor]
    learning_rate: float = 3e-3
    gradients: tuple[str, ...] = ("task", "attended-1e-2", "all-1e-7")
    training: tuple[str, ...] = ("attended-1e-2", "all-1e-2")
    activations: bool = True
    training_noise: bool = True


def seeded(name: str) -> torch.Generator:
    """A generator fixed by a name."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def our_name(name: str) -> str:
    """The checkpoint name of a parameter of a peft model, with peft's own levels taken out."""
    name = re.sub(r"^base_model\.(model\.)?", "", name)
    if name == "prompt_encoder.default.embedding.weight":
        return "prompt_embeddings"
    name = name.replace(".base_layer.", ".").replace(".modules_to_save.default", "").replace(".adapted.", ".")
    return re.sub(r"\.(lora_[AB]|ia3_l)\.default(?=\.|$)", r".\1", name)


def trainables_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that require a gradient, by our name."""
    return {our_name(name): p for name, p in model.named_parameters() if p.requires_grad}


class Taps:
    """The MLP activations of the last forward pass by site, with what went into the activation function."""

    def __init__(self, model: nn.Module):
        self.values: dict[str, torch.Tensor] = {}
        self.before: dict[str, torch.Tensor] = {}
        self.act: Callable[[torch.Tensor], torch.Tensor] = torch.relu
        for name, module in model.named_modules():
            site = our_name(name)
            if name.endswith(".DenseReluDense"):
                # its forward: calling the module would be noted
                self.act = module.act.forward
                module.act.register_forward_hook(functools.partial(self.note_act, site))
            family = FAMILIES.get(getattr(model, "config", None) and model.config.model_type)
            if family is None or not name.endswith(f".{family.activation}"):
                continue
            function = getattr(module, family.function)
            if name.endswith(".intermediate"):
                self.act = function
                module.register_forward_hook(lambda _m, _i, out, site=site: self.values.__setitem__(site, out))
                module.dense.register_forward_hook(lambda _m, _i, out, site=site: self.before.__setitem__(site, out))
            else:
                self.act = function.forward
                function.register_forward_hook(functools.partial(self.note_act, site))

    def note_act(self, site, _module, inputs, output):
        self.before[site], self.values[site] = inputs[0], output


def stack_of(site: str) -> str:
    """The stack a site belongs to."""
    return "decoder" if "decoder." in site else "encoder"


class Run:
    """One model with its taps, in one precision."""

    def __init__(self, case: Case, dtype: torch.dtype):
        build = case.build()
        self.model = build.model.to(dtype).eval()
        # a cast may replace parameters, so they are looked up again
        self.trainables = trainables_of(self.model)
        assert list(self.trainables) == list(build.trainables)
        self.method, self.virtual, self.parts, self.dtype = build.method, build.virtual, build.parts, dtype
        self.taps = Taps(self.model)
        self.start = {name: p.detach().clone() for name, p in self.trainables.items()}

    def ours(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Values of trainables, cut into our parts."""
        return {part: v for name, value in values.items() for part, v in self.parts(name, value).items()}

    def restart(self):
        with torch.no_grad():
            for name, p in self.trainables.items():
                p.copy_(self.start[name])
                p.grad = None

    def forward(self, batch):
        """Logits and task loss; the taps hold the activations after."""
        self.taps.values.clear()
        feeds = dict(batch)
        if "labels" in feeds and feeds["labels"].is_floating_point():
            feeds["labels"] = feeds["labels"].to(self.dtype)
        output = self.model(**feeds)
        if "start_positions" in feeds:
            return torch.stack([output.start_logits, output.end_logits], dim=-1), output.loss
        return output.logits, output.loss

    def attended(self, batch, site: str):
        """[B, virtual + S]: 1 at attended text tokens, 0 at padding and virtual tokens; a decoder's are those with a label."""
        if stack_of(site) == "decoder":
            return (batch["labels"] != -100).to(self.dtype)
        mask = batch["attention_mask"].to(self.dtype)
        return torch.cat([torch.zeros(mask.shape[0], self.virtual, dtype=self.dtype), mask], dim=1)

    def density(self, batch, positions: str, epsilon: float):
        """The density loss and its layers, METHOD.md section 2: a mean over each stack's layers, stacks added."""
        layers = {}
        for site, a in self.taps.values.items():
            share = a.square() / (a.square() + epsilon)
            if positions == "all":
                layers[site] = share.mean()
            else:
                attended = self.attended(batch, site)
                layers[site] = (share * attended.unsqueeze(-1)).sum() / (attended.sum() * a.shape[-1])
        stacks = [
            torch.stack([d for site, d in layers.items() if stack_of(site) == stack]).mean()
            for stack in dict.fromkeys(map(stack_of, layers))
        ]
        return sum(stacks), list(layers.values())

    def total(self, batch, objective: Objective):
        """Task loss, density loss (0 without one) and their weighted sum."""
        _, task = self.forward(batch)
        if objective.positions is None:
            return task, torch.zeros_like(task), task
        density, _ = self.density(batch, objective.positions, objective.epsilon)
        return task, density, task + objective.weight * density

    def gradients(self, batch, objective: Objective):
        self.restart()
        _, _, total = self.total(batch, objective)
        total.backward()
        grads = {
            name: torch.zeros_like(p) if p.grad is None else p.grad.detach().clone()
            for name, p in self.trainables.items()
        }
        return total.item(), self.ours(grads)

    def decays(self) -> dict[str, bool]:
        names = set(get_parameter_names(self.model, [nn.LayerNorm], NO_DECAY))
        return {our_name(n): n in names for n, p in self.model.named_parameters() if p.requires_grad}

    def train(self, case: Case, objective: Objective):
        """20 AdamW steps over the batches in turn; each loss is the one before its step's update."""
        self.restart()
        decays = self.decays()
        groups = [
            {"params": [p for n, p in self.trainables.items() if decays[n] is keep], "weight_decay": decay}
            for keep, decay in ((True, WEIGHT_DECAY), (False, 0.0))
        ]
        optimizer = torch.optim.AdamW(groups, lr=case.learning_rate)
        warmup = -(-STEPS * WARMUP_SHARE // 1)
        schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(warmup), STEPS)
        log = {"learningRates": [], "taskLosses": [], "densityLosses": [], "totalLosses": [], "gradNorms": []}
        for step in range(STEPS):
            task, density, total = self.total(case.batches[step % len(case.batches)], objective)
            optimizer.zero_grad()
            total.backward()
            norm = nn.utils.clip_grad_norm_(list(self.trainables.values()), MAX_GRAD_NORM)
            log["learningRates"].append(optimizer.param_groups[0]["lr"])
            for key, value in (
                ("taskLosses", task), ("densityLosses", density), ("totalLosses", total), ("gradNorms", norm)
            ):
                log[key].append(value.item())
            optimizer.step()
            schedule.step()
        final = self.ours({name: p.detach().clone() for name, p in self.trainables.items()})
        self.restart()
        return log, final


@torch.no_grad()
def measure(run: Run, batches) -> list[dict]:
    """Every density of METHOD.md section 3, per layer, over all batches, with counts to divide oneself.

    A count's `Near` is the number of entries that rounding could move across: those whose answer changes when the
    input of the activation function moves by 4e-6 of its size, those that GELU may or may not round to zero, and for a
    threshold those within what 1 + erf(x) or 1 + tanh(x) loses near -1, times x.
    """
    run.restart()
    layers: dict[str, dict] = {}
    for batch in batches:
        run.forward(batch)
        for site, a in run.taps.values.items():
            attended = run.attended(batch, site).bool()
            layer = layers.setdefault(site, new_layer(site, a.shape[-1]))
            add_counts(layer, a, run.taps.before[site], attended, run.taps.act)
    return [finish_layer(layer) for layer in layers.values()]


def new_layer(site: str, neurons: int) -> dict:
    counts = {tau: 0 for tau in THRESHOLDS}
    return {
        "site": site, "neurons": neurons, "samples": 0, "paperSum": 0.0,
        "entriesAll": 0, "nonzeroAll": 0, "nonzeroAllNear": 0,
        "entries": 0, "nonzero": 0, "nonzeroNear": 0, "above": dict(counts), "aboveNear": dict(counts),
        "active": torch.zeros(neurons, dtype=torch.long), "tokens": 0,
    }  # fmt: skip


def add_counts(layer, a, before, attended, act):
    moved = 4e-6 * before.abs().clamp(min=1.0)
    others = [act(before - moved), act(before + moved)]

    def unsure(answer):
        return torch.stack([answer(other) != answer(a) for other in others]).any(0)

    lost = 2e-7 * before.abs().clamp(min=1.0)
    nonzero = a != 0
    # where GELU rounds to an exact zero depends on the engine's erf or tanh
    rounds_to_zero = (a.abs() < 1e-6) & (before < -4) & (before > -7) & (act(before.new_tensor(-1.0)) != 0)
    doubtful = unsure(lambda v: v != 0) | rounds_to_zero
    layer["samples"] += a.shape[0]
    layer["paperSum"] += nonzero.double().mean(dim=(1, 2)).sum().item()
    layer["entriesAll"] += a.numel()
    layer["nonzeroAll"] += nonzero.sum().item()
    layer["nonzeroAllNear"] += doubtful.sum().item()
    layer["tokens"] += attended.sum().item()
    layer["entries"] += attended.sum().item() * a.shape[-1]
    layer["nonzero"] += nonzero[attended].sum().item()
    layer["nonzeroNear"] += doubtful[attended].sum().item()
    for tau in THRESHOLDS:
        layer["above"][tau] += (a.abs() > float(tau))[attended].sum().item()
        near = unsure(lambda v, tau=tau: v.abs() > float(tau)) | ((a.abs() - float(tau)).abs() < lost)
        layer["aboveNear"][tau] += near[attended].sum().item()
    layer["active"] += (a.abs() > DEAD_THRESHOLD)[attended].sum(0)


def finish_layer(layer):
    active, tokens = layer.pop("active"), layer.pop("tokens")
    layer["paper"] = layer.pop("paperSum") / layer["samples"]
    layer["exact"] = layer["nonzero"] / layer["entries"]
    layer["thresholds"] = {tau: n / layer["entries"] for tau, n in layer["above"].items()}
    layer["tokens"] = tokens
    layer["deadNeurons"] = (active == 0).sum().item()
    layer["rareNeurons"] = (active < RARE_SHARE * tokens).sum().item()
    return layer


def gap(a, b) -> float:
    """Largest absolute difference."""
    return (torch.as_tensor(a).double() - torch.as_tensor(b).double()).abs().max().item()


def make_record(case: Case) -> tuple[dict, dict[str, torch.Tensor]]:
    """The scalars and the tensors of one case."""
    run, exact = Run(case, torch.float32), Run(case, torch.float64)
    batch = case.batches[0]
    tensors: dict[str, torch.Tensor] = {}
    for i, feeds in enumerate(case.batches):
        tensors |= {f"batch/{i}/{name}": value for name, value in feeds.items()}
    start = run.ours(run.start)
    fresh = {n for n, p in start.items() if n not in case.stored or not torch.equal(case.stored[n], p)}
    tensors |= {f"init/{name}": p for name, p in start.items() if name in fresh}
    config = run.model.config
    decays = {part: keep for n, keep in run.decays().items() for part in run.parts(n, run.start[n])}
    record = {
        "format": FORMAT,
        "case": case.name,
        "checkpoint": case.checkpoint,
        "problem": problem_of(config, batch),
        "numLabels": config.num_labels,
        "method": run.method,
        "virtualTokens": run.virtual,
        "batches": len(case.batches),
        "trainables": [
            {"name": n, "shape": list(p.shape), "decays": decays[n], "start": "record" if n in fresh else "checkpoint"}
            for n, p in start.items()
        ],
        "forward": forward_record(case, run, exact, tensors),
        "objectives": {name: dataclasses.asdict(o) for name, o in OBJECTIVES.items()},
        "gradients": {name: gradient_record(name, batch, run, exact, tensors) for name in case.gradients},
        "training": {name: training_record(name, case, run, exact, tensors) for name in case.training},
        "measurement": measure(run, case.batches),
        "versions": versions(),
    }
    return record, tensors


def problem_of(config, batch) -> str:
    if "start_positions" in batch:
        return "question_answering"
    if config.is_encoder_decoder:
        return "language_modeling"
    if any(name.endswith("ForTokenClassification") for name in config.architectures or []):
        return "token_classification"
    return config.problem_type or ("regression" if config.num_labels == 1 else "single_label_classification")


@torch.no_grad()
def forward_record(case, run, exact, tensors):
    batch = case.batches[0]
    logits, task = run.forward(batch)
    logits64, task64 = exact.forward(batch)
    tensors["forward/logits"] = logits
    density = {}
    for name, o in OBJECTIVES.items():
        if o.positions is None:
            continue
        loss, layers = run.density(batch, o.positions, o.epsilon)
        loss64, _ = exact.density(batch, o.positions, o.epsilon)
        density[name] = {
            "loss": loss.item(), "layers": [d.item() for d in layers], "noise": gap(loss, loss64),
            "total": (task + o.weight * loss).item(),
        }  # fmt: skip
    if case.activations:
        tensors |= {f"activation/{site}": a for site, a in run.taps.values.items()}
    return {
        "taskLoss": task.item(), "taskLossNoise": gap(task, task64), "logitsNoise": gap(logits, logits64),
        "taps": list(run.taps.values), "density": density,
    }  # fmt: skip


def gradient_record(name, batch, run, exact, tensors):
    total, grads = run.gradients(batch, OBJECTIVES[name])
    total64, grads64 = exact.gradients(batch, OBJECTIVES[name])
    tensors |= {f"grad/{name}/{key}": g for key, g in grads.items()}
    sizes = {key: {"max": g.abs().max().item(), "noise": gap(g, grads64[key])} for key, g in grads.items()}
    return {"total": total, "totalNoise": gap(total, total64), "of": sizes}


def training_record(name, case, run, exact, tensors):
    log, final = run.train(case, OBJECTIVES[name])
    tensors |= {f"final/{name}/{key}": value for key, value in final.items()}
    noise = final_noise = None
    if case.training_noise:
        log64, final64 = exact.train(case, OBJECTIVES[name])
        noise = {key: gap(log[key], log64[key]) for key in log}
        final_noise = {key: gap(value, final64[key]) for key, value in final.items()}
    return {
        "steps": STEPS, "learningRate": case.learning_rate, "schedule": "linear",
        "warmupSteps": int(-(-STEPS * WARMUP_SHARE // 1)), "weightDecay": WEIGHT_DECAY, "maxGradNorm": MAX_GRAD_NORM,
        "betas": [0.9, 0.999], "adamEpsilon": 1e-8, **log,
        "noise": noise, "finalNoise": final_noise,
    }  # fmt: skip


def versions() -> dict[str, str]:
    return {
        "python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__,
        "peft": peft.__version__, "safetensors": safetensors.__version__, "numpy": numpy.__version__,
    }  # fmt: skip


def write_record(folder: pathlib.Path, case: Case) -> None:
    """Writes `<folder>/<case>.json` and `.safetensors`."""
    record, tensors = make_record(case)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case.name}.json").write_text(json.dumps(record, indent=1) + "\n")
    tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    safetensors.torch.save_file(tensors, folder / f"{case.name}.safetensors", metadata={"format": "pt"})
