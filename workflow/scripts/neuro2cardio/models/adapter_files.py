"""The files of an adapter's folder: whether they are what training wrote, for this place and this model."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from ..core.provenance import sha256

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
RUN = "run.json"
_DIGESTS = {WEIGHTS: "adapter_sha256", CONFIG: "adapter_config_sha256"}


def digests(folder: Path) -> dict[str, str]:
    """What `RUN` says of the other files, by which `problem` finds out whether they changed."""
    return {key: sha256(folder / name) for name, key in _DIGESTS.items()}


def trained_weights(folder: Path) -> str:
    """Digest of the weights that training wrote, by the adapter's record; empty where it can't be read."""
    try:
        said = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(said.get("adapter_sha256", "")) if isinstance(said, dict) else ""


def problem(folder: Path, key: Mapping[str, Any] | None = None, model: Mapping[str, Any] | None = None) -> str:
    """What is wrong with an adapter's folder; nothing where it is whole.

    ``key`` is the adapter that belongs there (model, recipe, train set, seed), ``model`` the record of its base model.
    """
    try:
        said = json.loads((folder / RUN).read_text(encoding="utf-8"))
        digest = {name: said.get(key) for name, key in _DIGESTS.items()} | {WEIGHTS: said["adapter_sha256"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its {RUN} is unreadable ({type(error).__name__})"
    for name, expected in digest.items():
        if expected is not None and not ((folder / name).is_file() and sha256(folder / name) == expected):
            return f"{name} is not what training wrote"
    trained, asked = said.get("adapter_key"), dict(key or {})
    if key is not None and trained is not None and trained != asked:
        return f"it is the adapter {_named(trained)}, not {_named(asked)}"
    base = said.get("model", {})
    if model is not None and any(base.get(part, model[part]) != model[part] for part in ("weights", "files")):
        return "it was trained on other weights, or another configuration or tokenizer, of its base model"
    return ""


def _named(key: Mapping[str, Any]) -> str:
    return "/".join(str(key.get(part)) for part in ("model", "recipe", "train_set")) + f"/seed-{key.get('seed')}"
