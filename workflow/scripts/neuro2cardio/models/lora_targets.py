"""Which modules of a network an adapter is put on."""

from typing import Any, Literal

from ..core.errors import InputError, nearest

_ROUTERS = {"gate", "router", "shared_expert_gate"}
"""Modules of a mixture of experts that choose experts. Adapting them makes training unstable; they are left out."""
_UNADAPTABLE = {
    "mamba": {"conv1d", "out_proj"},
    "mamba2": {"conv1d", "out_proj"},
    "falcon_mamba": {"conv1d", "out_proj"},
}
"""By model type, what peft refuses: fused kernels read these weights without going through their module."""


def resolve(network: Any, targets: Literal["all-linear"] | list[str]) -> Literal["all-linear"] | list[str]:
    """Targets as peft takes them: `all-linear` of a model with routers becomes the names of its other linear modules.

    Experts whose weights are one tensor (Mixtral, Qwen-MoE) are no linear modules, and are left out too. Raises
    `InputError` where a name matches no module, or all of them match none.
    """
    names = {name for name, _ in network.named_modules() if name}
    if targets != "all-linear":
        return _checked(names, targets)
    linear = {name.rpartition(".")[2] for name, module in network.named_modules() if _is_linear(module)}
    head = network.get_output_embeddings()
    linear -= {name.rpartition(".")[2] for name, module in network.named_modules() if module is head}
    left_out = _UNADAPTABLE.get(network.config.model_type, set())
    if any(name.rpartition(".")[2] in _ROUTERS for name in names):
        left_out = left_out | _ROUTERS
    if not linear - left_out:
        raise InputError("targets: all-linear finds no linear module in this model; name its modules")
    return sorted(linear - left_out) if left_out else "all-linear"


def _checked(names: set[str], targets: list[str]) -> list[str]:
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            known = {name.rpartition(".")[2] for name in names} - {n for n in names if n.isdecimal()}
            known = {name for name in known if not name.isdecimal()}
            raise InputError(f"targets: no module of the model is called {target!r}{nearest(target, known)}")
    return targets


def _is_linear(module: Any) -> bool:
    import torch
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, torch.nn.Linear | Conv1D)
