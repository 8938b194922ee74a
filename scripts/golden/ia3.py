"""Reference records of IA3 by peft, on BERT, RoBERTa and T5; CLI and format as in encoders.py and t5.py.

    ia3.py --out DIR [--case PATTERN] [--golden]

Methods, beside the keys of encoders.py:
    {kind: "ia3", targets, feedforward}: peft's vectors `<site>.ia3_l`, [out, 1] behind a layer and [1, in] before a
        feed-forward one. `ia3` has the layers that peft takes for the model by itself, `ia3-all` its "all-linear",
        `ia3-input` is scaled before layers that are no MLP outputs.
The golden records lie beside those of encoders.py and t5.py and name their checkpoints.
"""

import argparse
import functools
import pathlib

import torch
from peft import IA3Config, get_peft_model
from torch import nn

import encoders
import t5
from reference import Build, Case, seeded, trainables_of, write_record

CASES = (
    "bert-gelu.ia3", "roberta-gelu.ia3", "bert-relu.ia3", "roberta-regression.ia3", "bert-span.ia3", "roberta-left.ia3",
    "bert-gelu.ia3-all", "roberta-gelu.ia3-input",
    "t5-v10.ia3", "t5-v11.ia3", "t5-silu.ia3", "t5-deep.ia3", "t5-v11.ia3-all",
)  # fmt: skip
GOLDEN = ("bert-gelu.ia3", "t5-v11.ia3")
LAYERS = {
    "ia3": {},
    "ia3-all": {"target_modules": "all-linear"},
    "ia3-input": {
        "target_modules": ["query", "intermediate.dense", "attention.output.dense"],
        "feedforward_modules": ["intermediate.dense"],
    },
}  # fmt: skip


def with_ia3(model: nn.Module, method: str, name: str) -> Build:
    task = {"task_type": "SEQ_2_SEQ_LM"} if name.startswith("t5") else {"task_type": "SEQ_CLS"}
    # peft's QUESTION_ANS wrapper drops token types, so spans go without one
    task = {"modules_to_save": ["qa_outputs"]} if hasattr(model, "qa_outputs") else task
    model = get_peft_model(model, IA3Config(**task, **LAYERS[method]))
    config = model.peft_config["default"]
    generator = seeded(f"{name}/ia3")
    with torch.no_grad():
        for part, p in model.named_parameters():
            if ".ia3_l." in part:
                p.copy_(1 + 0.3 * torch.randn(p.shape, generator=generator))
    targets = "all-linear" if method == "ia3-all" else sorted(config.target_modules)
    facts = {"kind": "ia3", "targets": targets, "feedforward": sorted(config.feedforward_modules)}
    return Build(model, trainables_of(model), facts)


def build(folder: pathlib.Path, method: str, name: str) -> Build:
    if name.startswith("t5"):
        return with_ia3(t5.load(folder), method, name)
    model = encoders.load(folder)
    encoders.restart_head(model, name)
    return with_ia3(model, method, name)


def case_of(out: pathlib.Path, name: str, golden: bool) -> Case:
    variant, method = name.split(".")
    maker, home = (t5, "t5") if name.startswith("t5") else (encoders, "encoders")
    shared = out.parent / home
    case = maker.tiny_case(shared if golden else out, name, golden)
    folder = (shared if golden else out) / "checkpoints" / variant
    if golden:
        case.checkpoint = f"../{home}/{case.checkpoint}"
    case.build = functools.partial(build, folder, method, name)
    return case


def main():
    parser = argparse.ArgumentParser(description="reference records of IA3")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--case", action="append", help="a name or a pattern; may be repeated")
    parser.add_argument("--golden", action="store_true", help="the committed selection, without activations")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in encoders.select(list(GOLDEN if options.golden else CASES), options.case):
        write_record(options.out, case_of(options.out, name, options.golden))
        print(name, flush=True)


if __name__ == "__main__":
    main()
