"""Compares two folders of records: are the committed ones still what the scripts make?

    compare.py OLD NEW       exits 1 and names what differs; every record of OLD must be in NEW

Tensors and numbers may differ by rounding: 1e-5 of the largest entry, and eight times the recorded noise of gradients and trained values, which
PyTorch on another processor (without AVX-512, or of another maker) uses up to six of; with ε = 1e-7, which is steep, 32 times the noise, of
which up to fourteen were used. Largest entries of gradients may differ by 1e-4 (with ε = 1e-7, which is steep, by 1e-2), counts of activations about a threshold by four, and shares by as
many. Versions and noise itself are not compared.
"""

import json
import pathlib
import sys

import safetensors.torch


def noises(record: dict) -> dict[str, float]:
    """Tensor name → what rounding does to it."""
    known = {}
    for objective, gradients in record["gradients"].items():
        known |= {f"grad/{objective}/{name}": g["noise"] for name, g in gradients["of"].items()}
    for objective, training in record["training"].items():
        known |= {f"final/{objective}/{name}": noise for name, noise in (training["finalNoise"] or {}).items()}
    return known


def tensor_faults(old: pathlib.Path, new: pathlib.Path, noise: dict[str, float]):
    before, after = safetensors.torch.load_file(old), safetensors.torch.load_file(new)
    if before.keys() != after.keys():
        yield f"tensors {sorted(before.keys() ^ after.keys())}"
    for name in before.keys() & after.keys():
        a, b = before[name].double(), after[name].double()
        if a.shape != b.shape:
            yield f"{name}: {list(a.shape)}, {list(b.shape)}"
            continue
        gap, allowed = (a - b).abs().max().item(), 1e-5 * a.abs().max().item() + (32 if "1e-7/" in name else 8) * noise.get(name, 0.0)
        if gap > allowed:
            yield f"{name}: differs by {gap:.1e}, allowed {allowed:.1e}"


def scalar_faults(a, b, path: str):
    if "oise" in path or path.startswith("/versions") or "Near" in path:
        return
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from scalar_faults(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from scalar_faults(x, y, f"{path}/{i}")
    elif isinstance(a, float) and isinstance(b, float):
        allowed = 1e-3 if path.startswith("/measurement") else 1e-2 if "1e-7/" in path else 1e-4 if path.startswith("/gradients") else 2e-5
        if abs(a - b) > allowed * max(abs(a), 1e-3):
            yield f"{path}: {a}, {b}"
    elif path.startswith("/measurement") and type(a) is int and type(b) is int:
        if abs(a - b) > 4:
            yield f"{path}: {a}, {b}"
    elif a != b:
        yield f"{path}: {a}, {b}"


def main():
    old, new = map(pathlib.Path, sys.argv[1:3])
    records = sorted(old.glob("*.json"))
    faults = [] if records else [f"no records in {old}"]
    for file in records:
        if not (new / file.name).exists():
            faults.append(f"{file.stem}: missing in {new}")
            continue
        a, b = json.loads(file.read_text()), json.loads((new / file.name).read_text())
        tensors = file.with_suffix(".safetensors").name
        found = [*scalar_faults(a, b, ""), *tensor_faults(old / tensors, new / tensors, noises(a))]
        faults += [f"{file.stem} {fault}" for fault in found]
    if faults:
        sys.exit("\n".join(faults))
    print(f"{len(records)} records agree")


if __name__ == "__main__":
    main()
