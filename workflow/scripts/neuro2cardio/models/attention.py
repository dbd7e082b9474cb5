"""Which sequences of a model can be computed together: what its layers remember of the text before decides it."""

from enum import Enum
from typing import Any

_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}
_PLACES = {"mpt"}
"""Models whose positions are places in the cache, where padding would take some up."""


class Path(Enum):
    """How a batch is computed."""

    TOGETHER = "all starts in one padded batch"
    ALONE = "one start at a time"
    NAIVE = "one sequence at a time"


def path(network: Any, columns: int) -> Path:
    """How sequences that fill ``columns`` places of the cache, padding included, are computed.

    A window of the last tokens counts places in the cache, so padding must not take any up; where nothing is as long
    as the window, it never matters. Recurrent layers keep a state, which padding would change and which can't be cut
    at a common start.
    """
    inner = _inner(network)
    config = inner.config.get_text_config(decoder=True)
    kinds = set(getattr(config, "layer_types", None) or ())
    if getattr(inner, "_is_stateful", False) or kinds - _ATTENTION:
        return Path.NAIVE
    if "chunked_attention" in kinds and columns > (getattr(config, "attention_chunk_size", None) or columns):
        return Path.NAIVE
    alone = config.model_type in _PLACES or columns > _window(config, kinds)
    return Path.ALONE if alone else Path.TOGETHER


def _window(config: Any, kinds: set[str]) -> float:
    """Tokens that the shortest window of a model's layers holds; infinity where there is none."""
    if kinds and "sliding_attention" not in kinds:
        return float("inf")
    if "local" in (getattr(config, "attention_layers", None) or ()):  # GPT-Neo
        return float(config.window_size)
    return float(getattr(config, "sliding_window", None) or "inf")


def _inner(network: Any) -> Any:
    """The network inside a PEFT model, or the network itself."""
    return network.get_base_model() if hasattr(network, "get_base_model") else network
