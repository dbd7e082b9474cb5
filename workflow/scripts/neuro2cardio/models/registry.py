"""Base models and adapters: verify and load. Nothing here knows one model from another."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..config.models import Load
from ..core.errors import InputError, device_problem
from . import adapter_files, model_config, placement
from .adapter_files import WEIGHTS as WEIGHTS
from .model_files import ModelRecord
from .placement import Attention

if TYPE_CHECKING:
    from peft import PeftModel
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_TOKENIZER = "it needs a tokenizer.json: load the tokenizer where that works, and save it with save_pretrained"


@dataclass(frozen=True)
class LoadedModel:
    """A causal language model and its tokenizer."""

    network: "PreTrainedModel | PeftModel"
    tokenizer: "PreTrainedTokenizerFast"
    device: "torch.device"
    """Where its input goes; layers may lie on other devices too."""


def location(record: Path) -> Path:
    """The folder that a model's record points to. Raises `InputError` where its files are gone, or have changed."""
    return ModelRecord(record).location()


def name(record: Path) -> str:
    """What to call a base model in an adapter: its hub id, or the file or folder it came from."""
    said = json.loads(record.read_text(encoding="utf-8"))
    return str(said.get("id") or said.get("file") or Path(said["location"]).name)


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The fast tokenizer of a model's folder; character offsets need a fast one. Raises `InputError`."""
    from transformers import AutoTokenizer

    model_config.refuse_code(folder)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # The package tokenizers raises plain exceptions.
        raise InputError(
            f"{folder}: its tokenizer can't be loaded ({model_config.first_line(error)}); {_TOKENIZER}"
        ) from error
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: no fast tokenizer (tokenizer.json), without which terms have no token positions")
    return cast("PreTrainedTokenizerFast", tokenizer)


def load(
    folder: Path,
    how: Load,
    threads: int | None = None,
    attention: Attention = "auto",
    gpus: int = 0,
    tokenizer: "PreTrainedTokenizerFast | None" = None,
) -> LoadedModel:
    """Load a base model for inference on the best device there is, with one of transformers' attention functions.

    With ``gpus`` above 1, its layers are spread over so many CUDA devices. Where its ``tokenizer`` was loaded before,
    it is not loaded again. Raises `InputError` on damaged weights,
    where tensors of the model are missing, left over or of another shape, and as `placement.device` does.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    device = placement.device(how, gpus)
    network = _network(folder, **placement.arguments(how, attention, device, gpus))
    placement.settle(network, folder)
    if getattr(network, "hf_device_map", None) is None:
        network = network.to(device)
    # Where ids go in: of a model on several devices, the first.
    first = network.get_input_embeddings().weight.device
    return LoadedModel(network.eval(), load_tokenizer(folder) if tokenizer is None else tokenizer, first)


def outline(folder: Path) -> Any:
    """A model without its weights' numbers, for checks that take no memory. Raises `InputError` as `load` does."""
    return _network(folder, device_map="meta")


def _network(folder: Path, **how: Any) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    model_config.load_config(folder)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            # They are named below; transformers would stop without a name.
            ignore_mismatched_sizes=True,
            **how,
        )
    except SafetensorError as error:
        raise InputError(f"{folder}: damaged weights ({error}); delete the folder and run again") from error
    except Exception as error:  # Architectures check their configurations, each in its own way.
        if device_problem(error):
            raise
        raise InputError(f"{folder}: the model can't be loaded: {model_config.first_line(error)}") from error
    network, found = loaded
    # A setting of the days before PyTorch 2, with which outputs have no names.
    network.config.return_dict = True
    for kind in ("missing", "unexpected", "mismatched"):
        # Transformers would draw what is missing at random, and go on with a warning.
        if keys := sorted(map(_named, found[f"{kind}_keys"])):
            shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise InputError(
                f"{folder}: {kind} tensors: {shown}; its weights and its config.json are not of one model. Fetch it "
                "again, or save it again with save_pretrained"
            )
    return network


def _named(key: Any) -> str:
    """A tensor's name; of one of another shape also the shape in the file and the one that is wanted."""
    if isinstance(key, str):
        return key
    name, *shapes = key
    return f"{name} ({' in the file, by its config.json '.join(str(tuple(shape)) for shape in shapes)})"


def check_adapter(adapter: Path, key: Mapping[str, Any], record: Path) -> None:
    """Raise `InputError` where a folder's files changed, or are another adapter's or another base model's.

    ``key`` is the adapter that is meant, ``record`` the base model's.
    """
    if wrong := adapter_files.problem(adapter, key, ModelRecord(record).said):
        raise InputError(f"{adapter}: {wrong}; delete the folder and run again")


def with_adapter(base: LoadedModel, adapter: Path) -> LoadedModel:
    """Put a PEFT adapter onto a loaded base model. Raises `InputError` where it is damaged or of another model."""
    from peft import PeftModel
    from safetensors import SafetensorError

    from . import adapter_layers

    if wrong := adapter_files.problem(adapter):
        raise InputError(f"{adapter}: {wrong}; delete the folder and run again")
    try:
        network = PeftModel.from_pretrained(base.network, adapter, autocast_adapter_dtype=True)
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{adapter}: not a whole adapter of this model ({error}); delete it and run again") from error
    adapter_layers.simplify(network.eval())
    return LoadedModel(network, base.tokenizer, base.device)


def without_adapter(model: LoadedModel) -> LoadedModel | None:
    """The base model under an adapter, as it was loaded. None where it has to be loaded anew."""
    from . import adapter_layers

    network = adapter_layers.restore(model.network)
    return None if network is None else LoadedModel(network, model.tokenizer, model.device)


def window(folder: Path, max_tokens: int) -> int:
    """Tokens a model can read at once: the smaller of its own window and ``max_tokens``."""
    config = model_config.load_config(folder).get_text_config(decoder=True)
    own = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return min(max_tokens, own) if own else max_tokens
