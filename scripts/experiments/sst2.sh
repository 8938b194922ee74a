#!/usr/bin/env bash
# SST-2, 6,400 sentences, two epochs, three seeds: LoRA and Adapter, PEFT and DEFT, here and in PyTorch by one recipe.
#   scripts/experiments/sst2.sh MODEL SST-2-FOLDER OUTPUT
set -euo pipefail
model=$1 data=$2 out=$3
python=${DEFT_PYTHON:-.venv/bin/python}
mkdir -p "$out"
compare() {
  npx tsx src/cli/main.ts compare --model "$model" --task sst2 --data "$data" --limit-train 6400 --seeds 1,2,3 \
    --targets all-linear --epochs 2 --batch-size 32 --learning-rate 1e-3 --density-warmup-ratio 0.25 --json "$@"
}
# the shared recipe, to be held against PyTorch
compare --methods lora,adapter --density-weight 1 --epsilon 1e-3:1e-4 --output "$out/shared" > "$out/shared.json" 2> "$out/shared.log"
# ours, beside plain PEFT above: neurons removed for good while a light density loss acts
for seed in 1 2 3; do
  npx tsx src/cli/main.ts train --model "$model" --task sst2 --data "$data" --limit-train 6400 --seed $seed --method lora \
    --targets all-linear --epochs 2 --batch-size 32 --learning-rate 1e-3 --density-weight 0.2 --epsilon 1e-2:1e-3 \
    --keep-neurons 0.58 --removal-start 0.1 --removal-end 0.5 --json --output "$out/ours-$seed" > "$out/ours-$seed.json" 2> "$out/ours-$seed.log"
done
for seed in 1 2 3; do for method in lora adapter; do for weight in 0 1; do
  "$python" scripts/experiments/sst2_torch.py --model "$model" --data "$data" --method $method --weight $weight --seed $seed --threads 2
done; done; done > "$out/torch.jsonl" 2> "$out/torch.log"
