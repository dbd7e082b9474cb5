"""The files of a model's folder that decide what it answers: their digests, and whether they changed since."""

from collections.abc import Iterable
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import write_json
from ..core.provenance import sha256

RECORD = "model.json"
"""Written last into a model's folder under resources/models: where its files are and what they are."""
SEEN = "seen.json"
"""Beside it, when each file was changed last. Where that is still so, its digest is not taken again."""
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_NUMBERS = ("BF16", "F16", "F32", "F64")
"""Types of weights that are numbers as they stand, as safetensors calls them."""
_LFS = b"version https://git-lfs"
_DECIDING = (
    "config.json",
    "generation_config.json",
    "*.jinja",
    "additional_chat_templates/*.jinja",
    "tokenizer*",
    "vocab*",
    "merges*",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
    "*.tiktoken",
)
"""Besides weights and their index. `tokenizer*` holds the chat template of older models."""


@dataclass(frozen=True)
class ModelRecord:
    """A model's record: where its files are, and what they were when it was written."""

    path: Path

    @property
    def said(self) -> dict[str, Any]:
        """The record's content."""
        content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return content

    def location(self) -> Path:
        """The folder of the model's files. Raises `InputError` where they are gone or are not what they were."""
        said = self.said
        folder = self.path.parent / said["location"]
        again = f"delete {self.path} and run again"
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder}: the model's files are gone; {again}")
        if "files" not in said:
            raise InputError(f"{self.path} was written by an earlier version; {again}")
        if changed := self._changed(folder, said):
            raise InputError(
                f"{folder}: {', '.join(changed)} changed after the model's record was written, and what was made "
                f"before is of another model. Put the files back, or {again}: all jobs of the model are then made anew"
            )
        return folder

    def _changed(self, folder: Path, said: dict[str, Any]) -> list[str]:
        known: dict[str, dict[str, Any]] = {**said["weights"], **said["files"]}
        times = self.path.with_name(SEEN)
        seen = json.loads(times.read_text(encoding="utf-8")) if times.is_file() else {}
        new = {_name(folder, path) for path in deciding(folder)} - known.keys()
        return sorted(new | {name for name, was in known.items() if not _is(folder / name, was, seen.get(name))})

    def write(self, source: dict[str, Any]) -> None:
        """Write the record of the model whose files lie at ``source["location"]``. Raises as `weights` does."""
        folder = self.path.parent / source["location"]
        tensors = weights(folder)
        others = [path for path in deciding(folder) if path not in tensors]
        write_json(self.path.with_name(SEEN), {_name(folder, p): p.stat().st_mtime_ns for p in (*tensors, *others)})
        said = {
            **source,
            "weights": _described(folder, tensors),
            "files": _described(folder, others),
            "parameters": _parameters(tensors),
        }
        write_json(self.path, said)


def weights(folder: Path) -> list[Path]:
    """The safetensors files that hold a model, by its index where it has one.

    Raises `InputError` where a file that the index names is missing, or where there are no weights that can be read.
    """
    single, index = folder / SINGLE, folder / INDEX
    if single.is_file():
        return [single]
    if index.is_file():
        names = weight_names(index)
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise InputError(
                f"{folder}: {INDEX} names {len(names)} files, of which {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing; fetch the model again"
            )
        return [folder / name for name in names]
    found = sorted(path.name for path in folder.glob("*.safetensors"))
    if any("-of-" in name for name in found):
        raise InputError(f"{folder}: {INDEX} is missing, without which {', '.join(found[:3])} ... are no model")
    others = ", ".join(found + sorted(p.name for kind in ("*.bin", "*.pt*", "*.gguf") for p in folder.glob(kind)))
    raise InputError(
        f"{folder} holds no {SINGLE} and no {INDEX}{f', only {others}' if others else ''}; other formats are not read: "
        "save the model with save_pretrained(..., safe_serialization=True)"
    )


def weight_names(index: Path) -> list[str]:
    """Names of the files in an index of weights. Raises `InputError` on a damaged index."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{index} is not an index of weights ({type(error).__name__}); fetch the model again"
        ) from None
    if not names:
        raise InputError(f"{index}: weight_map names no file; fetch the model again")
    if odd := [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]:
        raise InputError(f"{index} names {odd[0]!r}, which is not a safetensors file of its folder")
    return names


def deciding(folder: Path) -> list[Path]:
    """Files other than weights that decide what a model answers."""
    found = {path for pattern in _DECIDING for path in folder.glob(pattern) if path.is_file()}
    index = folder / INDEX
    return sorted(found | ({index} if index.is_file() and not (folder / SINGLE).is_file() else set()))


def _is(path: Path, was: dict[str, Any], mtime: int | None) -> bool:
    if not path.is_file() or path.stat().st_size != was["bytes"]:
        return False
    return path.stat().st_mtime_ns == mtime or sha256(path) == was["sha256"]


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _described(folder: Path, paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    return {_name(folder, path): {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths}


def _refuse_quantized(path: Path, types: dict[str, str]) -> None:
    # Masks and positions among the buffers may be whole numbers.
    for name, kind in types.items():
        if name.endswith(".weight") and kind not in _NUMBERS:
            raise InputError(
                f"{path}: {name} is stored as {kind}, and nothing says by what it was scaled; take the model's "
                f"unquantized weights ({', '.join(_NUMBERS)})"
            )


def _parameters(files: list[Path]) -> int:
    """Parameters stored in safetensors files, read from their headers alone.

    Raises `InputError` on damaged ones, and on weights that are stored quantized.
    """
    from math import prod

    from safetensors import SafetensorError, safe_open

    total = 0
    for path in files:
        try:
            with safe_open(path, framework="np") as opened:
                tensors = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
                _refuse_quantized(path, {name: tensor.get_dtype() for name, tensor in tensors.items()})
                total += sum(prod(tensor.get_shape()) for tensor in tensors.values())
        except SafetensorError as error:
            with path.open("rb") as opened:
                if opened.read(len(_LFS)) == _LFS:
                    raise InputError(f"{path} is a pointer of Git LFS, not the weights; run git lfs pull") from None
            raise InputError(f"{path}: damaged weights ({error}); fetch the model again") from error
    return total
