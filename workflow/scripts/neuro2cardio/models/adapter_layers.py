"""LoRA layers as PEFT has them, computed in fewer passes over memory: added to the base layer's output in place.

For scoring, they are made anew (`simplify`), in the base model's number type; for training, PEFT's stay, with another
forward and backward pass (`fuse`).

PEFT keeps adapters in float32 and converts each layer's input and output. Merged into bfloat16 weights, an adapter
would lose whatever is smaller than half a step of the weight it changes, which is most of a short fine-tuning; so the
base weights stay as they are.
"""

from functools import partial
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from . import placement


class AdaptedLinear(torch.nn.Module):
    """A linear layer and a low-rank update of it: ``x W' + b + x A' B'``, the scaling in ``B``."""

    def __init__(self, base: torch.nn.Linear, down: torch.Tensor, up: torch.Tensor, dtype: torch.dtype) -> None:
        """Take over ``base``, and ``down`` (rank, inputs) and ``up`` (outputs, rank) in a number type, its input's."""
        super().__init__()
        self.base = base
        self.register_buffer("down", down.to(base.weight.device, dtype), persistent=False)
        self.register_buffer("up", up.to(base.weight.device, dtype).T.contiguous(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output; no gradient flows through it."""
        output = self.base(x)
        low = torch.nn.functional.linear(x, self.down)  # type: ignore[arg-type]
        output.view(-1, output.shape[-1]).addmm_(low.view(-1, low.shape[-1]), self.up)  # type: ignore[arg-type]
        return output


class _Update(torch.autograd.Function):
    """``x W' + b + s x A' B'`` of frozen ``W`` and ``b``: the scaling ``s`` is applied to what has ``A``'s rank."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        """The output of (n, inputs) ``x``: (n, outputs). ``down`` is (rank, inputs), ``up`` (outputs, rank)."""
        low = torch.nn.functional.linear(x, down).mul_(scaling)
        output = torch.nn.functional.linear(x, weight, bias)
        ctx.save_for_backward(x, weight, down, up, low)
        ctx.scaling = scaling
        return output.addmm_(low, up.T)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients for ``x``, ``down`` and ``up``."""
        (gradient,) = outputs
        x, weight, down, up, low = ctx.saved_tensors
        of_low = (gradient @ up).mul_(ctx.scaling)
        of_x = (gradient @ weight).addmm_(of_low, down) if ctx.needs_input_grad[0] else None
        return of_x, None, None, of_low.T @ x, gradient.T @ low, None


def fuse(network: Any) -> int:
    """Let plain LoRA layers without dropout of a PEFT model train in fewer passes; returns how many. Others stay."""
    found = [module for _, module in _lora_layers(network) if _fusible(module)]
    for module in found:
        module.forward = partial(_fused, module)
    return len(found)


def _fusible(module: Any) -> bool:
    base = module.base_layer
    dropout = module.lora_dropout[module.active_adapters[0]]
    # Accelerate moves the input of layers that it hooks, of a model on several devices.
    return type(base) is torch.nn.Linear and isinstance(dropout, torch.nn.Identity) and not hasattr(base, "_hf_hook")


def _fused(module: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """PEFT's forward pass of a layer, which takes over where something else is wanted of it."""
    base, kind = module.base_layer, x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    if args or kwargs or module.disable_adapters or module.merged or base.weight.dtype != dtype:
        found: torch.Tensor = type(module).forward(module, x, *args, **kwargs)
        return found
    adapter = module.active_adapters[0]
    rows = x.to(dtype).reshape(-1, x.shape[-1])
    down, up = (matrix[adapter].weight.to(dtype) for matrix in (module.lora_A, module.lora_B))
    output: torch.Tensor = _Update.apply(  # type: ignore[no-untyped-call]
        rows, base.weight, base.bias, down, up, module.scaling[adapter]
    )
    return output.view(*x.shape[:-1], -1)


def simplify(network: Any) -> int:
    """Put `AdaptedLinear` in the place of each plain LoRA layer of a PEFT model; returns how many. Others stay."""
    found = _lora_layers(network)
    for name, module in found:
        parent, _, child = name.rpartition(".")
        adapter, base = module.active_adapters[0], module.base_layer
        up = module.lora_B[adapter].weight.detach() * module.scaling[adapter]
        setattr(
            network.get_submodule(parent),
            child,
            # Weights of 4 bits are no numbers to compute in.
            AdaptedLinear(base, module.lora_A[adapter].weight.detach(), up, network.dtype),
        )
    return len(found)


def restore(network: Any) -> Any:
    """The base model under an adapter that `simplify` went through, as it was before; None if PEFT's layers remain."""
    base = network.get_base_model()
    for name, module in [(n, m) for n, m in base.named_modules() if isinstance(m, AdaptedLinear)]:
        parent, _, child = name.rpartition(".")
        setattr(base.get_submodule(parent), child, module.base)
    if any(type(module).__module__.startswith("peft.") for module in base.modules()):
        return None
    # PEFT would warn that the next adapter is a second one.
    del base.peft_config
    return base


def _lora_layers(network: Any) -> list[tuple[str, Any]]:
    """Plain LoRA layers of a PEFT model, with their names."""
    from peft.tuners.lora import LoraLayer

    return [(name, m) for name, m in network.named_modules() if isinstance(m, LoraLayer) and _plain(m)]


def _plain(module: Any) -> bool:
    """Whether a LoRA layer is a linear layer and one low-rank update, without bias, magnitude or merged weights."""
    adapters = module.active_adapters
    return bool(
        (type(module.base_layer) is torch.nn.Linear or placement.is_4bit(module.base_layer))
        and not module.merged
        and not module.disable_adapters
        and len(adapters) == 1
        and adapters[0] in module.lora_A
        and adapters[0] not in module.lora_variant
        and module.lora_A[adapters[0]].bias is None
        and module.lora_B[adapters[0]].bias is None
        and not module.fan_in_fan_out
    )
