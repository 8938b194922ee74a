"""Reference of the quantised formats: NF4 with nested scales, int8 by rows, int4 by blocks.

    quant.py golden FILE                 writes test/golden/quant/quant.safetensors
    quant.py codes                       float32 on stdin in rows of 65,536 values -> NF4 codes and scales of each row
    quant.py bitsandbytes FILE NAME OUT  our NF4 matrix NAME of FILE as bitsandbytes restores it, and a matrix it stores
    quant.py dequantise SRC DST FORMAT   the model folder SRC with the matrices of its blocks as FORMAT leaves them

NF4 is stated here as bitsandbytes 0.50 defines it (its reference kernels, `backends/default/ops.py`, which its CPU
build runs for `quantize_4bit`); where bitsandbytes can be imported, every result is held against the library's too.
Its CPU kernel for the nested scales looks levels up on a grid of 2^-15 instead of finding the nearest one, so a few
nested codes differ by one there from the definition (and from its CUDA kernel): they are counted, not followed.

Tensors of the golden file: `values`, `codes`, `absmax`, `nested/codes`, `nested/absmax`, `nested/offset`, `restored`
(NF4 over the whole), `levels`; `matrix` [5, 100], `int8/codes`, `int8/scales`, `int4/codes`, `int4/scales`.
"""

import pathlib
import re
import shutil
import sys

import numpy
import safetensors.torch
import torch

try:
    import bitsandbytes.functional as bnb
except ImportError:
    bnb = None

LEVELS = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])  # fmt: skip
BLOCK, NESTED_BLOCK, ROW = 64, 256, 65536


def dynamic_map() -> torch.Tensor:
    """The 256 levels of nested scales, as bitsandbytes' create_dynamic_map()."""
    data = [0.0, 1.0]
    for decade in range(7):
        boundaries = torch.linspace(0.1, 1, 2**decade + 1, dtype=torch.float32)
        means = (boundaries[:-1] + boundaries[1:]) / 2.0
        data += ((10 ** (decade - 6)) * means).tolist() + (-(10 ** (decade - 6)) * means).tolist()
    return torch.tensor(sorted(data), dtype=torch.float32)


def blockwise(values: torch.Tensor, levels: torch.Tensor, block: int):
    """The nearest level of each value over its block's largest magnitude, and those magnitudes."""
    flat = values.reshape(-1)
    full = flat.numel() - flat.numel() % block
    blocks = flat[:full].reshape(-1, block)
    scales = blocks.abs().amax(dim=-1)
    scaled = torch.clamp(blocks * (1.0 / scales.clamp(min=1e-38).view(-1, 1)), -1, 1).reshape(-1)
    if full < flat.numel():
        last = flat[full:].abs().max().clamp(min=1e-38)
        scales = torch.cat([scales, last.unsqueeze(0)])
        scaled = torch.cat([scaled, torch.clamp(flat[full:] / last, -1, 1)])
    return torch.bucketize(scaled, (levels[:-1] + levels[1:]) / 2, out_int32=True).to(torch.uint8), scales


def nf4(values: torch.Tensor):
    """Codes, two in a byte, and scales; the same as bitsandbytes'."""
    codes, scales = blockwise(values, LEVELS, BLOCK)
    if codes.numel() % 2:
        # a filler of 0 in [-1, 1] has code 7
        codes = torch.cat([codes, torch.tensor([7], dtype=torch.uint8)])
    packed = (codes[::2] << 4) | codes[1::2]
    if bnb:
        theirs, state = bnb.quantize_4bit(values.reshape(-1), blocksize=BLOCK, quant_type="nf4")
        assert torch.equal(theirs.reshape(-1), packed) and torch.equal(state.absmax, scales)
    return packed, scales


def nest(scales: torch.Tensor):
    """Nested codes, their scales and the offset; the mean is exact before it is rounded."""
    offset = scales.double().mean().float()
    codes, absmax = blockwise(scales - offset, dynamic_map(), NESTED_BLOCK)
    if bnb:
        assert torch.equal(bnb.create_dynamic_map(), dynamic_map())
        theirs, state = bnb.quantize_blockwise(scales - offset, blocksize=NESTED_BLOCK)
        # nowhere off the definition by more than its grid
        assert torch.equal(state.absmax[: scales.numel() // NESTED_BLOCK], absmax[: scales.numel() // NESTED_BLOCK])
        levels = dynamic_map()
        assert (levels[theirs.long()] - levels[codes.long()]).abs().max() <= levels.diff().max() + 1e-6
    return codes, absmax, offset


def restore_nf4(packed, scales, count: int):
    codes = torch.stack([packed >> 4, packed & 15], dim=1).reshape(-1)[:count]
    return LEVELS[codes.long()] * scales.repeat_interleave(BLOCK)[:count]


def restore_nested(codes, absmax, offset):
    return dynamic_map()[codes.long()] * absmax.repeat_interleave(NESTED_BLOCK)[: codes.numel()] + offset


def int8(matrix: torch.Tensor):
    largest = matrix.abs().amax(dim=1)
    inverse = torch.where(largest > 0, 127.0 / largest, 0.0)
    codes = torch.round(matrix * inverse.unsqueeze(1)).to(torch.int8)
    if bnb and bool((largest > 0).all()):
        assert torch.equal(torch.ops.bitsandbytes.int8_vectorwise_quant(matrix.clone())[0], codes)
    return codes, largest / 127.0


def int4(matrix: torch.Tensor):
    rows, columns = matrix.shape
    blocks = -(-columns // 32)
    padded = torch.nn.functional.pad(matrix, (0, blocks * 32 - columns)).reshape(rows, blocks, 32)
    largest = torch.gather(padded, 2, padded.abs().argmax(dim=2, keepdim=True)).squeeze(2)
    scales = largest / -8.0
    inverse = torch.where(scales != 0, 1.0 / scales, 0.0)
    codes = torch.floor(padded * inverse.unsqueeze(2) + 8.5).clamp(0, 15).to(torch.uint8)
    return codes[:, :, ::2] | (codes[:, :, 1::2] << 4), scales


def restored(matrix: torch.Tensor, kind: str) -> torch.Tensor:
    """The matrix as its quantised form stands for it, all arithmetic in float32."""
    if kind == "nf4":
        packed, scales = nf4(matrix)
        return restore_nf4(packed, restore_nested(*nest(scales)), matrix.numel()).reshape(matrix.shape)
    if kind == "int8":
        codes, scales = int8(matrix)
        return codes.float() * scales.unsqueeze(1)
    codes, scales = int4(matrix)
    whole = torch.stack([codes & 15, codes >> 4], dim=3).reshape(*scales.shape, 32).float() - 8
    return (whole * scales.unsqueeze(2)).reshape(matrix.shape[0], -1)[:, : matrix.shape[1]].contiguous()


def adversarial() -> torch.Tensor:
    """Ordinary blocks, zeros, denormals, huge and mixed sizes, single non-zeros, ties, and a last block of 37."""
    generator = torch.Generator().manual_seed(4)
    normal = torch.randn(48, BLOCK, generator=generator)
    single = torch.zeros(4, BLOCK)
    for i, value in enumerate([1e-3, -2.0, 3e38, -1e-40]):
        single[i, 13 * i] = value
    middles = (LEVELS[:-1] + LEVELS[1:]) / 2
    ties = torch.ones(4, BLOCK)
    ties[0, 1:16], ties[1, 1:16], ties[2, 1:16] = middles, middles.nextafter(torch.tensor(2.0)), LEVELS[1:]
    ties[3, 1:16] = middles.nextafter(torch.tensor(-2.0))
    sizes = 10.0 ** (torch.rand(16, BLOCK, generator=generator) * 70 - 38) * normal[:16].sign()
    parts = [normal * 0.05, torch.zeros(2, BLOCK), -torch.zeros(1, BLOCK), normal[:4] * 1e-40, normal[:2] * 1e-38,
             normal[:4] * 1e38, single, ties, ties * 0.037, sizes]  # fmt: skip
    return torch.cat([p.reshape(-1) for p in parts] + [normal[0, :37] * 0.02])


def golden(file: pathlib.Path) -> None:
    values = adversarial()
    packed, scales = nf4(values)
    # nested scales of ordinary weights: a mean over sizes from 1e-40 to 1e38 would leave nothing to see
    ordinary = torch.rand(777, generator=torch.Generator().manual_seed(5)) * 0.1 + 0.05
    codes, absmax, offset = nest(ordinary)
    matrix = torch.randn(5, 100, generator=torch.Generator().manual_seed(6))
    matrix[2] *= 1e-3
    tensors = {
        "values": values, "codes": packed, "absmax": scales, "restored": restore_nf4(packed, scales, values.numel()),
        "nested/scales": ordinary, "nested/codes": codes, "nested/absmax": absmax, "nested/offset": offset,
        "nested/restored": restore_nested(codes, absmax, offset), "levels": dynamic_map(), "matrix": matrix,
    }  # fmt: skip
    for kind, make in (("int8", int8), ("int4", int4)):
        made, made_scales = make(matrix)
        tensors |= {f"{kind}/codes": made, f"{kind}/scales": made_scales, f"{kind}/restored": restored(matrix, kind)}
    file.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt", "bitsandbytes": "checked" if bnb else "absent"})


def codes() -> None:
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while row := source.read(4 * ROW):
        packed, scales = nf4(torch.from_numpy(numpy.frombuffer(row, dtype=numpy.float32).copy()))
        target.write(packed.numpy().tobytes())
        target.write(scales.numpy().tobytes())
        target.flush()


def by_bitsandbytes(file: pathlib.Path, name: str, out: pathlib.Path) -> None:
    stored = safetensors.torch.load_file(file)
    parts = {key: value for key, value in stored.items() if key.startswith(f"{name}.")}
    state = bnb.QuantState.from_dict(dict(parts), device=torch.device("cpu"))
    ours = bnb.dequantize_4bit(stored[name], state)
    other = torch.randn(64, 192, generator=torch.Generator().manual_seed(8)) * 0.05
    packed, state = bnb.quantize_4bit(other, blocksize=BLOCK, quant_type="nf4", compress_statistics=True)
    tensors = {"restored": ours, "requantised": bnb.dequantize_4bit(packed, state), name: packed}
    tensors |= {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}
    safetensors.torch.save_file(tensors, out)


def dequantise(source: pathlib.Path, target: pathlib.Path, kind: str) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
    tensors = safetensors.torch.load_file(source / "model.safetensors")
    for name, value in tensors.items():
        if value.dim() == 2 and re.search(r"\.\d+\.", name) and name.endswith(".weight") and "bias" not in name:
            tensors[name] = restored(value.float(), kind)
    safetensors.torch.save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    if not (target / "tokenizer.json").exists():
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(target, local_files_only=True).save_pretrained(target)


def main():
    command, *rest = sys.argv[1:]
    if command == "golden":
        golden(pathlib.Path(rest[0]))
    elif command == "codes":
        codes()
    elif command == "bitsandbytes":
        by_bitsandbytes(pathlib.Path(rest[0]), rest[1], pathlib.Path(rest[2]))
    elif command == "dequantise":
        dequantise(pathlib.Path(rest[0]), pathlib.Path(rest[1]), rest[2])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
