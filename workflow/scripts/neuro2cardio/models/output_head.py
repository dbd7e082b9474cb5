"""Logits at chosen positions, in float32: hidden states are selected before they are projected onto the vocabulary.

In bfloat16, log-probabilities come in steps of 0.125 and options tie that a model does tell apart. The model's own
forward pass runs, with its own soft-capping or scaling of logits; only its head sees fewer positions, in float32.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ..core.errors import out_of_memory

_VOCABULARY_CHUNK = 4096
"""Rows of the head's weight converted to float32 at once, which bounds the copy, and the logits made at once."""
_ROUNDING = 0.08
"""Mean difference of logits, in their standard deviations, that bfloat16 explains."""
_LARGE = 300
"""A logit beyond those of any model that caps them."""
_ROWS = {"cpu": 32}
"""Rows of logits whose sum is made at once, while they are in a processor's caches; elsewhere all, in few calls."""
_ISOLATED: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()
_PLAIN: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


def forward(network: Any, rows: torch.Tensor, columns: torch.Tensor, **inputs: Any) -> tuple[Any, torch.Tensor]:
    """Run a causal model and return logits at the positions (``rows``, ``columns``) of its input alone.

    Args:
        network: A causal language model, or one inside a PEFT model.
        rows: (n,) rows of the batch.
        columns: (n,) columns of the batch.
        inputs: Arguments of the network's forward pass.

    Returns:
        The network's output, whose own ``logits`` are not to be read, and (n, vocabulary) float32 logits.
    """
    if not can_isolate(network):
        out = network(**inputs)
        return out, out.logits[rows.to(out.logits.device), columns.to(out.logits.device)].float()
    with _selecting(head_of(network), rows, columns):
        out = network(**inputs)
    return out, out.logits[0].float()


def hidden_states(network: Any, rows: torch.Tensor, columns: torch.Tensor, **inputs: Any) -> tuple[Any, torch.Tensor]:
    """As `forward`, but (n, hidden) hidden states, as they enter the head, in place of logits; gradients flow."""
    found: list[torch.Tensor] = []

    def take(_: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *more = arguments
        found.append(hidden[rows.to(hidden.device), columns.to(hidden.device)])
        return (hidden[:, :0], *more)

    hook = head_of(network).register_forward_pre_hook(take)
    try:
        out = network(**inputs)
    finally:
        hook.remove()
    return out, found[0]


def reader(network: Any) -> Callable[..., tuple[Any, torch.Tensor]]:
    """What gives least of all that log-probabilities need: `hidden_states` where the head is plain, or `forward`."""
    return hidden_states if is_plain(network) else forward


def logits(network: Any, read: torch.Tensor) -> torch.Tensor:
    """(n, vocabulary) float32 logits, from what the network's `reader` gave at n places."""
    return _project(head_of(network), read) if is_plain(network) else read


def log_probabilities(network: Any, read: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """(n, k) log-probabilities of (n, k) ``tokens``, from what the network's `reader` gave at n places, at least one.

    Of a plain head, the logits of all n places and the whole vocabulary never exist at once. What was read is
    overwritten.
    """
    parts = _parts(head_of(network), read) if is_plain(network) else iter([read])
    found, sums, start = [], [], 0
    for part in parts:
        here = tokens.to(part.device) - start
        inside = (here >= 0) & (here < part.shape[-1])
        # Each token stands in one part, and counts nothing in the others.
        found.append(part.gather(1, here.clamp(0, part.shape[-1] - 1)).where(inside, 0))
        sums.append(_normalisers(part))
        start += part.shape[-1]
    return torch.stack(found).sum(0) - torch.cat(sums, dim=-1).logsumexp(-1, keepdim=True)


def is_plain(network: Any) -> bool:
    """Whether logits are what a linear head makes of hidden states, and nothing more; tried once per network."""
    if network not in _PLAIN:
        head = head_of(network)
        _PLAIN[network] = type(head) is torch.nn.Linear and can_isolate(network) and _is_passed_on(network, head)
    return _PLAIN[network]


def _is_passed_on(network: Any, head: torch.nn.Linear) -> bool:
    """Whether what comes out of the head are the network's logits, to the last bit.

    The head is made to give large numbers: a model's own on a few tokens may be too small for a cap to be seen.
    """
    ids = torch.arange(3, device=network.get_input_embeddings().weight.device)[None]
    given = torch.linspace(-_LARGE, _LARGE, head.weight.shape[0]).to(head.weight)
    hook = head.register_forward_hook(lambda _, __, out: torch.zeros_like(out) + given.to(out))
    try:
        with torch.inference_mode():
            found = network(input_ids=ids, use_cache=False).logits
    finally:
        hook.remove()
    return torch.equal(found.float(), given.to(found.device).float().expand(found.shape))


def can_isolate(network: Any) -> bool:
    """Whether selecting hidden states before the head gives the network's own logits; tried once per network.

    Networks that call their head twice, or do more with logits than scale each by itself, fall back on all logits.
    """
    if network not in _ISOLATED:
        _ISOLATED[network] = _try(network)
    return _ISOLATED[network]


def _try(network: Any) -> bool:
    head = head_of(network)
    if head is None:
        return False
    embeddings = network.get_input_embeddings()
    ids = torch.arange(6, device=embeddings.weight.device).view(2, 3)
    rows, columns = (torch.tensor(at, device=ids.device) for at in ((1, 0, 1), (2, 0, 1)))
    with torch.inference_mode():
        logits = network(input_ids=ids, use_cache=False).logits
        expected = logits[rows.to(logits.device), columns.to(logits.device)].float()
        try:
            with _selecting(head, rows, columns):
                found = network(input_ids=ids, use_cache=False).logits
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            if out_of_memory(error):
                raise
            return False
    return found.shape == (1, *expected.shape) and close(found[0].float(), expected, network.dtype)


def close(found: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether (n, vocabulary) logits are equal but for the rounding of a network's number type.

    In bfloat16, single logits are off by chance. On average, those of SmolLM2 are by 2% of their standard deviation,
    and by 18% where one token of the text is missing.
    """
    gaps = (found - expected).abs()
    if dtype != torch.float32:
        return bool(gaps.mean() <= _ROUNDING * expected.std())
    return bool((gaps <= 1e-4 * expected.abs().max().clamp(min=1e-6)).all())


def head_of(network: Any) -> Any:
    """The layer that projects onto the vocabulary, or None."""
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    return inner.get_output_embeddings()


@contextmanager
def _selecting(head: torch.nn.Module, rows: torch.Tensor, columns: torch.Tensor) -> Iterator[None]:
    """While it lasts, the head projects the selected positions alone, as one row of a batch."""

    def select(_: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *more = arguments
        return (hidden[rows.to(hidden.device), columns.to(hidden.device)][None], *more)

    hook = head.register_forward_pre_hook(select)
    in_float32 = type(head) is torch.nn.Linear and head.weight.dtype in (torch.bfloat16, torch.float16)
    # Accelerate, where it moves the input to the head's device, keeps the head's own forward under another name.
    name = "_old_forward" if hasattr(head, "_hf_hook") else "forward"
    before = vars(head).get(name)
    if in_float32:
        setattr(head, name, lambda hidden: _project(head, hidden))
    try:
        yield
    finally:
        hook.remove()
        if in_float32 and before is None:
            delattr(head, name)
        elif in_float32:
            setattr(head, name, before)


def _project(head: Any, hidden: torch.Tensor) -> torch.Tensor:
    """The linear layer ``head`` in float32."""
    logits = hidden.new_empty(*hidden.shape[:-1], head.weight.shape[0], dtype=torch.float32)
    start = 0
    for part in _parts(head, hidden):
        logits[..., start : start + part.shape[-1]] = part
        start += part.shape[-1]
    return logits


def _parts(head: Any, hidden: torch.Tensor) -> Iterator[torch.Tensor]:
    """Float32 logits of a linear head, a part of the vocabulary at a time."""
    exact = hidden.dtype == head.weight.dtype == torch.bfloat16
    hidden = hidden.to(head.weight.device).float()
    # A pass over a shared start alone reads nothing, and converts nothing.
    for start in range(0, head.weight.shape[0] if hidden.numel() else 0, _VOCABULARY_CHUNK):
        part = slice(start, start + _VOCABULARY_CHUNK)
        bias = None if head.bias is None else head.bias[part].float()
        with torch.autocast(hidden.device.type, enabled=False), _bfloat16_products(exact):
            made = torch.nn.functional.linear(hidden, head.weight[part].float(), bias)
        yield made


@contextmanager
def _bfloat16_products(exact: bool) -> Iterator[None]:
    """While it lasts, a CPU multiplies float32 numbers as bfloat16 and sums in float32, where ``exact`` allows it.

    Numbers that came from bfloat16 lose nothing by it, and processors that multiply bfloat16 do so in half the time.
    """
    backend: Any = torch.backends.mkldnn
    settings = backend.matmul
    before = settings.fp32_precision
    if exact:
        settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


def _normalisers(logits: torch.Tensor) -> torch.Tensor:
    """(n, 1) logarithms of the summed exponentials of (n, vocabulary) ``logits``, which are overwritten.

    As `torch.logsumexp`, without its copies of all logits.
    """
    found = []
    for rows in logits.split(_ROWS.get(logits.device.type, max(1, len(logits)))):
        highest = rows.amax(-1, keepdim=True)
        found.append(highest + rows.sub_(highest).exp_().sum(-1, keepdim=True).log_())
    return torch.cat(found)
