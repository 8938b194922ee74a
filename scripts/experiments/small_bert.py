"""Writes a folder with a small BERT that was trained to give what another one gives for each token of the texts.

    small_bert.py --texts FILE.jsonl --teacher DIR --out DIR [--layers 12] [--width 128]    (transformers 5.23)

FILE has a `text` on each line. Word embeddings begin as the teacher's, projected to the first principal components. One thread, about
ten minutes; see docs/explanation/gates.md.
"""

import argparse
import json
import pathlib
import random

import torch
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("--texts", type=pathlib.Path, required=True)
parser.add_argument("--teacher", required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
parser.add_argument("--layers", type=int, default=12)
parser.add_argument("--width", type=int, default=128)
parser.add_argument("--steps", type=int, default=1500)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--rate", type=float, default=1e-3)
options = parser.parse_args()
torch.set_num_threads(1)
torch.manual_seed(0)

tokenizer = transformers.AutoTokenizer.from_pretrained(options.teacher)
teacher = transformers.AutoModel.from_pretrained(options.teacher).eval()
config = transformers.BertConfig(
    vocab_size=len(tokenizer),
    hidden_size=options.width,
    num_hidden_layers=options.layers,
    num_attention_heads=options.width // 32,
    intermediate_size=4 * options.width,
)
student = transformers.BertModel(config)
with torch.no_grad():
    words = teacher.embeddings.word_embeddings.weight[: len(tokenizer)]
    centred = words - words.mean(0)
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -options.width :]
    projected = centred @ axes
    student.embeddings.word_embeddings.weight.copy_(projected * 0.05 / projected.std())
to_teacher = torch.nn.Linear(options.width, teacher.config.hidden_size)

texts = [json.loads(line)["text"] for line in options.texts.open(encoding="utf8")]
ids = sorted(tokenizer(texts, truncation=True, max_length=40)["input_ids"], key=len)
batches = [ids[at : at + options.batch] for at in range(0, len(ids) - options.batch, options.batch)]
random.Random(0).shuffle(batches)
trained = [*student.parameters(), *to_teacher.parameters()]
optimizer = torch.optim.AdamW(trained, lr=options.rate, weight_decay=0.01)
warmup = 0.06 * options.steps
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: min(1, (step + 1) / warmup) * (1 - step / options.steps)
)
mean = 0.0
for step in range(options.steps):
    rows = batches[step % len(batches)]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows])
    mask = (tokens != tokenizer.pad_token_id).long()
    with torch.inference_mode():
        wanted = teacher(input_ids=tokens, attention_mask=mask).last_hidden_state
        wanted = wanted / wanted.norm(dim=-1, keepdim=True) * wanted.shape[-1] ** 0.5
    wanted = wanted.clone()
    given = to_teacher(student(input_ids=tokens, attention_mask=mask).last_hidden_state)
    loss = (given - wanted)[mask.bool()].pow(2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
    if (step + 1) % 50 == 0:
        print(step + 1, f"{mean:.4f}", flush=True)
student.save_pretrained(options.out)
tokenizer.save_pretrained(options.out)
