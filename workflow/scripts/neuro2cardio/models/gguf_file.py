"""The header of a GGUF file, and what would be read wrong, or not at all, without a word.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi, prod
import mmap
from pathlib import Path
import struct
from typing import Any

import numpy as np

from ..core.errors import InputError, nearest

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_ROPE = "rope_freqs.weight"
_LONG_ROPE = ("rope_factors_long.weight", "rope_factors_short.weight")
_LLAMA_3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""Of all Llama 3.1, 3.2 and 3.3, whose `factor` alone differs."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file: how it is stored, its shape, and where its bytes lie behind the header."""

    kind: int
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself. Of lists, ``fields`` has the length."""

    fields: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    data: int
    """Bytes before the first tensor."""

    @property
    def architecture(self) -> str:
        """The architecture, as llama.cpp calls it."""
        return str(self.fields.get("general.architecture"))

    @property
    def numbers(self) -> int:
        """Weights in all tensors, without the tables that positions are scaled by."""
        return sum(prod(tensor.shape) for name, tensor in self.tensors.items() if not name.startswith("rope_"))


def read(path: Path, called: str) -> Header:
    """The header of a GGUF file that can be read, which messages name as ``called``.

    Raises:
        InputError: It is not a GGUF file; it is shorter or longer than its header says; it is one of several files that
            llama.cpp made of a model; its architecture or the way its tensors are stored is not known.
    """
    with path.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise InputError(
                f"{called}: not a GGUF file, which starts with 'GGUF'; name its parts in their order, or of a model as "
                "safetensors its folder, with a slash at the end"
            )
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                header = _parse(content)
            except (struct.error, IndexError, UnicodeDecodeError, KeyError, MemoryError, OverflowError):
                raise InputError(
                    f"{called}: its header ends in the middle or is damaged: a part is missing, or the parts are not "
                    "in their order"
                ) from None
    _check_kinds(header, called)
    _check_size(header, path.stat().st_size, called)
    return header


def rope(header: Header, path: Path, called: str) -> dict[str, Any]:
    """How the file scales positions, as transformers' `rope_parameters`, which it does not take from GGUF itself.

    Empty where nothing is scaled. Raises `InputError` for scalings that are not known here.
    """
    scaling = header.fields.get(f"{header.architecture}.rope.scaling.type", "none")
    if header.architecture == "gpt-oss":
        return {}
    if header.tensors.keys() & set(_LONG_ROPE) or scaling not in ("none", "linear"):
        kind = "longrope" if header.tensors.keys() & set(_LONG_ROPE) else scaling
        raise InputError(
            f"{called}: positions are scaled ({kind}), which can't be read from a GGUF file; take the model's "
            "safetensors (source: hub, or path)"
        )
    factor = float(header.fields.get(f"{header.architecture}.rope.scaling.factor", 1.0))
    if scaling == "linear" and factor != 1.0:
        return {"rope_type": "linear", "factor": factor}
    return _llama_3(header, path, called) if _ROPE in header.tensors else {}


def _llama_3(header: Header, path: Path, called: str) -> dict[str, Any]:
    tensor = header.tensors[_ROPE]
    n = prod(tensor.shape)
    stored = np.fromfile(path, "<f4", n, offset=header.data + tensor.offset).astype(float)
    base = float(header.fields.get(f"{header.architecture}.rope.freq_base", 10_000.0))
    factor = float(stored.max())
    if not np.allclose(stored, _llama_3_factors(base, factor, n), rtol=1e-3):
        raise InputError(
            f"{called}: {_ROPE} scales positions in a way that is not Llama 3's; take the model's safetensors "
            "(source: hub, or path)"
        )
    return {"rope_type": "llama3", "factor": factor, **_LLAMA_3} if factor != 1 else {}


def _llama_3_factors(base: float, factor: float, n: int) -> np.ndarray:
    """By what each of n frequencies is divided (llama.cpp, convert_hf_to_gguf.py, of Llama 3's reference code)."""
    low, high, context = _LLAMA_3.values()
    waves = 2 * pi * base ** (np.arange(n) / n)
    smooth = (context / waves - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    return np.where(waves < context / high, 1.0, np.where(waves > context / low, factor, between))


def check_read(header: Header, network: Any, missing: list[str], called: str) -> None:
    """Raise `InputError` where a network is not all that a file holds, or holds what are no numbers."""
    import torch

    named = dict(network.named_parameters())
    found = sum(weight.numel() for weight in named.values())
    if missing or found != header.numbers:
        example = f", {missing[0]} among them" if missing else ""
        raise InputError(
            f"{called}: of its {header.numbers:,} weights the network has {found:,}, and {len(missing)} tensors were "
            f"not in the file{example}: transformers does not read this file rightly; take the model's safetensors "
            "(source: hub, or path)"
        )
    for name, weight in named.items():
        if not torch.isfinite(weight).all():
            raise InputError(
                f"{called}: the weights of {name} are not all finite numbers: the file is damaged, or its parts are "
                "not in their order"
            )


def _parse(content: mmap.mmap) -> Header:
    def scalar(form: str, at: int) -> tuple[Any, int]:
        size = struct.calcsize(f"<{form}")
        return struct.unpack_from(f"<{form}", content, at)[0], at + size

    def text(at: int) -> tuple[str, int]:
        length, at = scalar("Q", at)
        if at + length > len(content):
            raise IndexError
        return content[at : at + length].decode("utf-8"), at + length

    def value(kind: int, at: int) -> tuple[Any, int]:
        if kind == _STRING:
            return text(at)
        if kind != _ARRAY:
            return scalar(_SCALARS[kind], at)
        (of, at), (length, at) = scalar("I", at), scalar("Q", at + 4)
        if of in _SCALARS:
            return length, at + length * struct.calcsize(f"<{_SCALARS[of]}")
        for _ in range(length):
            _, at = text(at) if of == _STRING else value(of, at)
        return length, at

    at = 4
    version, at = scalar("I", at)
    (n_tensors, at), (n_fields, at) = scalar("Q", at), scalar("Q", at + 8)
    if version not in (2, 3):
        raise KeyError(version)
    fields: dict[str, Any] = {}
    for _ in range(n_fields):
        key, at = text(at)
        kind, at = scalar("I", at)
        fields[key], at = value(kind, at)
    tensors = {}
    for _ in range(n_tensors):
        name, at = text(at)
        n, at = scalar("I", at)
        shape = struct.unpack_from(f"<{n}Q", content, at)
        kind, at = scalar("I", at + 8 * n)
        offset, at = scalar("Q", at)
        tensors[name] = Tensor(kind, shape, offset)
    alignment = int(fields.get("general.alignment", 32))
    return Header(fields, tensors, -(-at // alignment) * alignment)


def _check_kinds(header: Header, called: str) -> None:
    from gguf import GGMLQuantizationType
    from gguf.quants import _type_traits
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if (count := header.fields.get("split.count", 0)) > 1:
        raise InputError(
            f"{called}: one of {count} files that llama.cpp made of a model, which are not parts of one file; join "
            "them with llama-gguf-split --merge, or take the model's safetensors"
        )
    # Mixtures of experts and gpt-oss have other names there.
    known = {name.replace("_", "") for name in GGUF_SUPPORTED_ARCHITECTURES}
    if header.architecture.replace("-", "").replace("_", "") not in known:
        raise InputError(
            f"{called}: transformers reads no GGUF of the architecture {header.architecture!r}"
            f"{nearest(header.architecture, GGUF_SUPPORTED_ARCHITECTURES)}"
        )
    plain = {GGMLQuantizationType.F32, GGMLQuantizationType.F16}
    readable = {kind.value for kind in plain | set(_type_traits)}
    for name, tensor in header.tensors.items():
        if tensor.kind not in readable:
            kinds = {kind.value: kind.name for kind in GGMLQuantizationType}
            raise InputError(
                f"{called}: {name} is stored as {kinds.get(tensor.kind, f'type {tensor.kind}')}, which the package "
                "gguf does not read; take another quantization of the model, such as Q8_0"
            )


def _check_size(header: Header, size: int, called: str) -> None:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    def end(tensor: Tensor) -> int:
        block, nbytes = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
        return tensor.offset + prod(tensor.shape) // block * nbytes

    needed = header.data + max(map(end, header.tensors.values()), default=0)
    alignment = int(header.fields.get("general.alignment", 32))
    if not needed <= size < needed + alignment:
        wrong = "a part is missing, or a download was cut short" if size < needed else "there is a part too many"
        raise InputError(f"{called}: {size:,} bytes, and its header says {needed:,}: {wrong}")
