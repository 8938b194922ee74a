"""The PyTorch + transformers + peft side of the benchmarks: a process that answers one JSON line for each it reads.

    peer.py '{"checkpoint": DIR, "threads": 2, "method": "lora", "density": true, "compile": false, "dropout": 0.1}'

Commands: {"do": "step", "batch": {...}} one AdamW step, {"do": "eval", "batch": {...}} one forward pass,
{"do": "memory"} peak and present resident bytes and all processor time. As its users run it at its best: SDPA, oneDNN as it
comes, `torch.inference_mode` to evaluate, and with "compile" `torch.compile` for both. A batch holds nested lists tokenIds, attentionMask, typeIds, labels;
a T5's labels are token ids, -100 behind their end, and its density loss is the encoder's mean plus the decoder's.
"""
import json
import os
import resource
import sys
import time

START = time.perf_counter()
options = json.loads(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(options["threads"])
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, get_linear_schedule_with_warmup, logging  # noqa: E402

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(options["threads"])
torch.manual_seed(0)

is_t5 = AutoConfig.from_pretrained(options["checkpoint"]).model_type == "t5"
auto = AutoModelForSeq2SeqLM if is_t5 else AutoModelForSequenceClassification
model = auto.from_pretrained(options["checkpoint"], dtype=torch.float32, attn_implementation="sdpa")
stacks = {}


def tap(module, stack):
    activations = stacks.setdefault(stack, [])
    # an evaluation has no density loss
    module.register_forward_hook(lambda module, inputs, output: activations.append(output) if module.training else None)


if options["density"] and is_t5:
    for stack in ("encoder", "decoder"):
        for block in getattr(model, stack).block:
            tap(block.layer[-1].DenseReluDense.act, stack)
elif options["density"]:
    for layer in getattr(model, model.base_model_prefix).encoder.layer:
        tap(layer.intermediate, "encoder")
targets = options.get("targets", ["q", "v"] if is_t5 else ["query", "value"])
task = "SEQ_2_SEQ_LM" if is_t5 else "SEQ_CLS"
model = get_peft_model(model, LoraConfig(task_type=task, r=8, lora_alpha=16, lora_dropout=options["dropout"], target_modules=targets))
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=3e-4, weight_decay=0.01)
schedule = get_linear_schedule_with_warmup(optimizer, 10, 1000)


def stack_loss(activations, mask):
    weights = mask.unsqueeze(-1).to(torch.float32)
    count = weights.sum()
    return sum((((a * a) / (a * a + 1e-3)) * weights).sum() / (count * a.shape[-1]) for a in activations) / len(activations)


def answer_of(batch, **labels):
    kept = {} if is_t5 else {"token_type_ids": batch["typeIds"]}
    for activations in stacks.values():
        activations.clear()
    return model(input_ids=batch["tokenIds"], attention_mask=batch["attentionMask"], **kept, **labels)


def forward(batch):
    out = answer_of(batch, labels=batch["labels"])
    masks = {"encoder": batch["attentionMask"], "decoder": batch["labels"] != -100}
    return out.loss + sum(stack_loss(activations, masks[stack]) for stack, activations in stacks.items())


def predict(batch):
    return answer_of(batch, **({"labels": batch["labels"]} if is_t5 else {})).logits


compiled = torch.compile if options["compile"] else lambda function: function
run, run_predict = compiled(forward), compiled(predict)


def step(batch):
    model.train()
    loss = run(batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


@torch.inference_mode()
def evaluate(batch):
    model.eval()
    return run_predict(batch).sum().item()


def answer(value):
    print(json.dumps(value), flush=True)


answer({"ready": True, "ms": (time.perf_counter() - START) * 1000})
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "memory":
        with open("/proc/self/statm") as f:
            present = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer({"peak": peak, "present": present, "processorMs": time.process_time() * 1000})
        continue
    batch = {key: torch.tensor(value) for key, value in request["batch"].items()}
    started, cpu = time.perf_counter(), time.process_time()
    value = step(batch) if request["do"] == "step" else evaluate(batch)
    answer({"ms": (time.perf_counter() - started) * 1000, "processorMs": (time.process_time() - cpu) * 1000, "value": value})
