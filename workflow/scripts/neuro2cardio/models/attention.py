"""Which models can compute many sequences in one pass: what their layers remember of the text before decides it."""

from enum import Enum
import sys
from typing import Any

_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention", "attention"}


class Path(Enum):
    """How sequences are computed."""

    PACKED = "many sequences in one pass, each token once"
    ALONE = "one sequence at a time"


def path(network: Any, tokens: int) -> Path:
    """How sequences of up to ``tokens`` tokens are computed, as far as can be said without computing anything.

    Packed sequences need attention that goes through the library's attention interface. Recurrent layers keep a state
    that can't be cut at a common start. Attention within chunks matters where a sequence is longer than a chunk.
    """
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    config = inner.config.get_text_config(decoder=True)
    kinds = set(getattr(config, "layer_types", None) or ())
    recurrent = getattr(inner, "_is_stateful", False) or kinds - _ATTENTION
    own_attention = not hasattr(sys.modules[type(inner).__module__], "ALL_ATTENTION_FUNCTIONS")
    chunked = "chunked_attention" in kinds and tokens > (getattr(config, "attention_chunk_size", None) or tokens)
    return Path.ALONE if recurrent or own_attention or chunked else Path.PACKED


def window(module: Any, given: dict[str, Any]) -> int | None:
    """Tokens that an attention module sees, from the arguments it is called with or its configuration; None: all."""
    if "sliding_window" in given:
        return given["sliding_window"] or None
    kinds = getattr(module.config, "layer_types", None)
    slides = (
        kinds[module.layer_idx] == "sliding_attention" if kinds else getattr(module.config, "use_sliding_window", True)
    )
    return getattr(module.config, "sliding_window", None) if slides else None
