"""Records of what training adds to a method: the loss of whole neurons, masks of neurons, and gates of MLPs.

    density.py --out test/golden/density

Each record is about a case of encoders.py or t5.py, whose model, start and batches it takes: `<case>.json` and
`<case>.safetensors`. `objectives.NAME` holds the losses of the first batch at the start, with `grad/NAME/<parameter>`
beside it, in float32; `noise` is how far float32 is from float64. `training` is 20 AdamW steps with gates, each with
the gates after it, and `final/<parameter>` where they end.
"""

import argparse
import json
import pathlib
import tempfile

import torch
import transformers
from safetensors.torch import save_file
from torch import nn

import encoders
import t5
from reference import MAX_GRAD_NORM, STEPS, WARMUP_SHARE, WEIGHT_DECAY, Case, Run, gap, our_name, stack_of

CASES = ("bert-gelu.lora-qv", "bert-gelu.adapter-pfeiffer", "t5-v10.lora-qv", "t5-v11.adapter-pfeiffer")
GATE_RATE, GATE_WEIGHT, FIRST_GATE = 0.05, 0.3, 4.0
# θ of the gradient check: far from one another, so that a gate at the wrong layer shows
GATES = (1.5, -0.5, 0.7, -1.2)
# what the density loss of each MLP counts where gates are read off the gradient
LAYER_WEIGHTS = (1.5, 0.5, 0.75, 1.25)
OBJECTIVES = {
    "neurons-attended": {"positions": "attended", "epsilon": 1e-2, "weight": 1.0, "neurons": True},
    "neurons-all": {"positions": "all", "epsilon": 0.1, "weight": 0.5, "neurons": True},
    "neurons-masked": {"positions": "attended", "epsilon": 1e-2, "weight": 1.0, "neurons": True, "masked": True},
    "masked": {"positions": "attended", "epsilon": 1e-2, "weight": 1.0, "masked": True},
    "gates": {"positions": "attended", "epsilon": 1e-2, "weight": 1.0, "gated": True},
    "importance": {"positions": "attended", "epsilon": 1e-2, "weight": 1.0, "importance": True},
    "gates-neurons": {"positions": "all", "epsilon": 1e-2, "weight": 1.0, "neurons": True, "gated": True},
}


def centre_of(h):
    """What stands for the running mean of what an MLP adds."""
    return 0.1 * torch.cos(torch.arange(h.shape[-1], dtype=h.dtype))


class Gated(nn.Module):
    """A BertOutput with a factor of all that it adds to the residual, before its norm."""

    def __init__(self, output: nn.Module, scaled):
        super().__init__()
        self.inner, self.scaled = output, scaled

    def forward(self, hidden_states, input_tensor):
        output = self.inner
        norm = getattr(output, "plain_norm", output.LayerNorm)
        h = output.dropout(output.dense(hidden_states))
        if hasattr(output, "bottleneck"):
            h = h + output.bottleneck(norm(input_tensor + h))
        return norm(input_tensor + self.scaled(h))


class GatedT5(nn.Module):
    """A T5LayerFF with a factor of all that it adds to its input."""

    def __init__(self, layer: nn.Module, scaled):
        super().__init__()
        self.inner, self.scaled = layer, scaled

    def forward(self, hidden_states):
        adapted = isinstance(self.inner, t5.Adapted)
        layer = self.inner.adapted if adapted else self.inner
        h = layer.DenseReluDense(layer.layer_norm(hidden_states))
        if adapted:
            h = h + self.inner.adapter_up(self.inner.act(self.inner.adapter_down(hidden_states + h)))
        return hidden_states + self.scaled(h)


class Extended(Run):
    """A run with masks on the activations and, after `gate()`, gates."""

    def __init__(self, case: Case, dtype: torch.dtype):
        super().__init__(case, dtype)
        self.first = case.batches[0]
        self.masks: dict[str, torch.Tensor] = {}
        self.gates: dict[str, nn.Parameter] = {}
        self.probes: dict[str, torch.Tensor] = {}
        for name, module in self.model.named_modules():
            if name.endswith((".intermediate", ".DenseReluDense")):
                site = our_name(name)
                # before the tap, which sees what is left
                (module.act if hasattr(module, "wo") else module).register_forward_hook(
                    lambda _m, _i, out, site=site: out * self.masks[site] if self.masks else out, prepend=True
                )

    def mlps(self):
        """Where each MLP's last part is, under which name, and the site of its gate; in the order of the layers."""
        for name, module in list(self.model.named_modules()):
            if name.endswith("encoder.layer"):
                for index, layer in enumerate(module):
                    yield layer, "output", f"bert.encoder.layer.{index}.output"
            elif name.endswith(".block"):
                for index, block in enumerate(module):
                    last = len(block.layer) - 1
                    yield block.layer, str(last), f"{our_name(name)}.{index}.layer.{last}"

    def mask(self):
        self.forward(self.first)
        for index, (site, a) in enumerate(self.taps.values.items()):
            self.masks[site] = ((torch.arange(a.shape[-1]) * 7 + index * 3) % 5 >= 2).to(self.dtype)

    def gate(self, thetas):
        for (parent, name, site), theta in zip(self.mlps(), thetas, strict=False):
            parameter = nn.Parameter(torch.tensor([theta], dtype=self.dtype))
            self.scale(parent, name, lambda h, parameter=parameter: torch.sigmoid(parameter) * h)
            self.gates[f"{site}.mlp_gate"] = parameter

    def probe(self, examples):
        """A factor of 1 for each example of what each MLP adds beyond a centre: its gradient is what the example's loss makes of it."""
        for parent, name, site in self.mlps():
            ones = torch.ones(examples, 1, 1, dtype=self.dtype, requires_grad=True)
            self.scale(parent, name, lambda h, ones=ones: centre_of(h) + ones * (h - centre_of(h)))
            self.probes[site] = ones

    def scale(self, parent, name, scaled):
        kind = Gated if name == "output" else GatedT5
        setattr(parent, name, kind(parent.get_submodule(name), scaled))

    def over_stacks(self, values):
        """The mean over each stack's layers, stacks added."""
        stacks: dict[str, list[torch.Tensor]] = {}
        for site, value in zip(self.taps.values, values, strict=True):
            stacks.setdefault(stack_of(site), []).append(value)
        return sum(torch.stack(own).mean() for own in stacks.values())

    def layer_losses(self, batch, positions, epsilon, neurons=False):
        if not neurons:
            return self.density(batch, positions, epsilon)[1]
        losses = []
        for site in self.taps.values:
            energy = self.energy(batch, site, positions)
            losses.append((energy / (energy + epsilon)).mean())
        return losses

    def energy(self, batch, site, positions="attended"):
        """Mean a² of each neuron over the counted positions."""
        a, attended = self.taps.values[site], self.attended(batch, site)
        counted = torch.ones_like(attended) if positions == "all" else attended
        return (a.square() * counted.unsqueeze(-1)).sum(dim=(0, 1)) / counted.sum()

    def objective(self, batch, positions, epsilon, weight, neurons=False, masked=False, gated=False, importance=False):
        _, task = self.forward(batch)
        losses = self.layer_losses(batch, positions, epsilon, neurons)
        gates = [torch.sigmoid(theta).squeeze() for theta in self.gates.values()]
        if gates:
            losses = [g * loss for g, loss in zip(gates, losses, strict=True)]
        if importance:
            losses = [w * loss for w, loss in zip(LAYER_WEIGHTS, losses, strict=False)]
        density = self.over_stacks(losses)
        price = GATE_WEIGHT * self.over_stacks(gates) if gates else 0.0
        return task, density, task + weight * density + price

    def learned(self):
        return {**self.trainables, **self.gates}


def opened(case: Case, dtype: torch.dtype, objective: dict) -> Extended:
    run = Extended(case, dtype)
    if objective.get("masked"):
        run.mask()
    if objective.get("gated"):
        run.gate(GATES)
    if objective.get("importance"):
        run.probe(len(case.batches[0]["input_ids"]))
    return run


def objective_record(case: Case, name: str, objective: dict, tensors: dict):
    results = {}
    for dtype in (torch.float32, torch.float64):
        run = opened(case, dtype, objective)
        task, density, total = run.objective(case.batches[0], **objective)
        total.backward()
        grads = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in run.learned().items()}
        energies = {site: run.energy(case.batches[0], site).detach() for site in run.taps.values}
        probes = {site: ones.grad.square().sum() for site, ones in run.probes.items()}
        results[dtype] = (task.item(), density.item(), total.item(), grads, energies, probes)
    task, density, total, grads, energies, probes = results[torch.float32]
    exact = results[torch.float64][3]
    tensors |= {f"grad/{name}/{n}": g for n, g in grads.items()}
    if objective.get("masked") and objective.get("neurons"):
        tensors |= {f"energy/{site}": e for site, e in energies.items()}
        tensors |= {f"mask/{site}": m for site, m in opened(case, torch.float32, objective).masks.items()}
    tensors |= {f"sensitivity/{name}/{site}": square for site, square in probes.items()}
    noise = {n: gap(grads[n], exact[n]) for n in grads}
    return {**objective, "taskLoss": task, "densityLoss": density, "total": total, "noise": noise}


def training_record(case: Case, tensors: dict):
    """20 steps with gates from their own start, at a learning rate of their own and without weight decay."""
    run = Extended(case, torch.float32)
    decays = run.decays()
    run.gate([FIRST_GATE] * len(GATES))
    groups = [
        {"params": [p for n, p in run.trainables.items() if decays[n] is keep], "weight_decay": decay}
        for keep, decay in ((True, WEIGHT_DECAY), (False, 0.0))
    ]
    groups.append({"params": list(run.gates.values()), "weight_decay": 0.0, "lr": GATE_RATE})
    optimizer = torch.optim.AdamW(groups, lr=case.learning_rate)
    warmup = int(-(-STEPS * WARMUP_SHARE // 1))
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warmup, STEPS)
    log = {"learningRates": [], "taskLosses": [], "densityLosses": [], "totals": [], "gradNorms": [], "gates": []}
    for step in range(STEPS):
        task, density, total = run.objective(case.batches[step % len(case.batches)], "attended", 1e-2, 1.0)
        optimizer.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(list(run.learned().values()), MAX_GRAD_NORM)
        log["learningRates"].append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
        for key, value in (("taskLosses", task), ("densityLosses", density), ("totals", total), ("gradNorms", norm)):
            log[key].append(value.item())
        log["gates"].append([torch.sigmoid(theta).item() for theta in run.gates.values()])
    tensors |= {f"final/{n}": p.detach().clone() for n, p in run.learned().items()}
    facts = {"learningRate": case.learning_rate, "warmupSteps": warmup, "steps": STEPS, "weightDecay": WEIGHT_DECAY}
    return {**facts, "maxGradNorm": MAX_GRAD_NORM, "gateRate": GATE_RATE, "gateWeight": GATE_WEIGHT, **log}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            family = t5 if name.startswith("t5-") else encoders
            case = family.tiny_case(pathlib.Path(folder), name, golden=True)
            tensors: dict[str, torch.Tensor] = {}
            record = {
                "case": name,
                "gateWeight": GATE_WEIGHT,
                "layerWeights": LAYER_WEIGHTS[: len(list(Extended(case, torch.float32).mlps()))],
                "thetas": GATES[: len(list(Extended(case, torch.float32).mlps()))],
                "objectives": {n: objective_record(case, n, o, tensors) for n, o in OBJECTIVES.items()},
                "training": training_record(case, tensors),
            }
            save_file({n: t.contiguous() for n, t in tensors.items()}, options.out / f"{name}.safetensors")
            (options.out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
            print(name, flush=True)


if __name__ == "__main__":
    main()
