"""In which numbers and on which devices a model's weights lie."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..config.models import Load
from ..core.errors import InputError

if TYPE_CHECKING:
    import torch

Attention = Literal["auto", "sdpa", "eager", "flash"]

_USABLE = 0.9
"""Share of each GPU's free memory that weights may fill where a model lies on several."""


def check(load: Load, attention: Attention) -> None:
    """Raise `InputError` where what the configuration asks for is not installed. Needs no GPU."""
    if attention == "flash" and find_spec("flash_attn") is None:
        raise InputError(
            "attention: flash needs the package flash-attn, which is not installed; install it in the environment of "
            "the jobs, or set attention: sdpa"
        )
    if load == "4bit" and find_spec("bitsandbytes") is None:
        raise InputError(
            "load: 4bit needs the package bitsandbytes, which is not installed; install it in the environment of the "
            "jobs (pip install --no-deps --require-hashes -r envs/4bit.txt), or set load: bfloat16"
        )


def device(load: Load, gpus: int) -> "torch.device":
    """The device that a job computes on: a CUDA device where there is one, else the CPU.

    Raises `InputError` where a model of 4 bits finds no CUDA device in a job that has asked for GPUs, and where a
    model should lie on more GPUs than can be seen.
    """
    import torch

    if torch.cuda.is_available():
        if gpus > torch.cuda.device_count():
            raise InputError(
                f"resources.gpu: {gpus} GPUs are asked for and {torch.cuda.device_count()} can be seen; ask for as "
                "many as one machine has"
            )
        return torch.device("cuda")
    if gpus and load == "4bit":
        raise InputError(
            "load: 4bit finds no CUDA device in this job; run it where there is an NVIDIA GPU, or set load: bfloat16"
        )
    if gpus and torch.backends.mps.is_available():
        print("Apple GPUs (MPS) are not used: log-probabilities need float64, which they lack; the CPU computes")
    return torch.device("cpu")


def arguments(load: Load, attention: Attention, on: "torch.device", gpus: int) -> dict[str, Any]:
    """What transformers' `from_pretrained` is told. Raises `InputError` as `check` does."""
    check(load, attention)
    told: dict[str, Any] = {
        "attn_implementation": {"auto": None, "flash": "flash_attention_2"}.get(attention, attention),
        "dtype": number_type(load, on),
    }
    if on.type == "cuda" and gpus > 1:
        told |= {"device_map": "balanced", "max_memory": {i: _free(i) for i in range(gpus)}}
    if load == "4bit":
        from transformers import BitsAndBytesConfig

        # The settings of QLoRA (Dettmers et al. 2023): normal floats, whose scales are quantized too.
        told.setdefault("device_map", {"": on})
        told["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=told["dtype"],
        )
    return told


def settle(network: Any, folder: Path) -> None:
    """Make a loaded network ready. Raises `InputError` where weights had to be left outside the GPUs."""
    outside = {str(where) for where in (getattr(network, "hf_device_map", None) or {}).values()} & {"disk", "meta"}
    if outside:
        raise InputError(
            f"{folder}: the model does not fit the memory that its GPUs have free; raise the model's resources.gpu, or "
            "set load: 4bit"
        )
    for module in network.modules():
        # On CPUs with bfloat16, bitsandbytes repacks weights when they are first read: gradients are then wrong.
        if is_4bit(module):
            module.support_avx512bf16_for_cpu = False


def is_4bit(module: Any) -> bool:
    """Whether a module is a linear layer of 4 bits a weight."""
    return type(module).__name__ == "Linear4bit" and type(module).__module__.startswith("bitsandbytes.")


def number_type(load: Load, on: "torch.device") -> "torch.dtype":
    """The number type to compute in: for `auto` and `4bit`, bfloat16 where the device computes in it natively."""
    import torch

    if load in ("bfloat16", "float32"):
        return torch.bfloat16 if load == "bfloat16" else torch.float32
    on_gpu = on.type == "cuda"
    native = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else _cpu_computes_bfloat16()
    return torch.bfloat16 if native else torch.float32


def _free(index: int) -> int:
    import torch

    return int(_USABLE * torch.cuda.mem_get_info(index)[0])


def _cpu_computes_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text(encoding="ascii", errors="replace")
