"""The configuration of a model's folder: whether it is of a kind that can be used, without code of its own."""

import json
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from . import adapter_files

_NO_ANSWERS = (
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForPreTraining",
)
_OTHER_SENSES = ("vision_config", "audio_config", "vision_tower_config", "speech_config")


def load_config(folder: Path) -> Any:
    """The configuration of a model's folder.

    Raises `InputError` where it needs code that is not in transformers, or brings an adapter along.
    """
    from transformers import AutoConfig

    refuse_code(folder)
    if (folder / adapter_files.CONFIG).is_file():
        raise InputError(
            f"{folder / adapter_files.CONFIG}: an adapter lies in the model's folder, and would be put on the "
            "base model without a word; take its files out, or merge it (peft: merge_and_unload) and save "
            "the merged model by itself"
        )
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # Configurations check themselves, each in its own way.
        raise InputError(f"{folder}/config.json can't be used: {first_line(error)}") from error


def check_config(folder: Path) -> Any:
    """The configuration of a model that can be used. Raises `InputError` with file, key and remedy for any other."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    config, file = load_config(folder), folder / "config.json"
    if quantization := getattr(config, "quantization_config", None):
        said = quantization if isinstance(quantization, dict) else quantization.to_dict()
        raise InputError(
            f"{file}: quantization_config says that the weights are stored quantized "
            f"({said.get('quant_method')}), which are not read; take the model's unquantized weights"
        )
    if getattr(config, "is_encoder_decoder", False):
        raise InputError(
            f"{file}: is_encoder_decoder: {config.model_type} is not a decoder; take a causal language model"
        )
    senses = [key for key in _OTHER_SENSES if getattr(config, key, None) is not None]
    if senses:
        raise InputError(
            f"{file}: {senses[0]}: {config.model_type} is a multimodal model; take its text-only variant, or save its "
            "language model by itself"
        )
    named = [str(name) for name in getattr(config, "architectures", None) or ()]
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or (named and all(n.endswith(_NO_ANSWERS) for n in named)):
        raise InputError(
            f"{file}: architectures: {', '.join(named) or config.model_type} is not a causal language model; take one "
            "whose architecture ends in ForCausalLM"
        )
    return config


def refuse_code(folder: Path) -> None:
    """Raise `InputError` where a model brings code of its own, which is never run."""
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        path = folder / name
        try:
            said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise InputError(f"{path} is not JSON ({error}); fetch the model again") from None
        if not isinstance(said, dict):
            raise InputError(f"{path} holds no settings, only a {type(said).__name__}; fetch the model again")
        if "auto_map" in said and not _known(said):
            raise InputError(
                f"{path}: auto_map names Python code that comes with the model ({_first(said['auto_map'])}), which is "
                "never run; use a model whose architecture is part of transformers"
            )


def _known(config: dict[str, Any]) -> bool:
    """Whether transformers has classes of its own for what a configuration names."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

    if "model_type" in config:
        return config["model_type"] in CONFIG_MAPPING
    return tokenizer_class_from_name(str(config.get("tokenizer_class"))) is not None


def _first(value: Any) -> str:
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else next((v for v in value if v), "")
    return str(value)


def first_line(error: Exception) -> str:
    """What an error says first, for a message of ours."""
    said, *more = (str(error).strip() or type(error).__name__).splitlines()
    said = f"{said} {more[0].strip()}" if more and said.endswith(":") else said
    return f"{type(error).__name__} {said}" if isinstance(error, KeyError) else said
