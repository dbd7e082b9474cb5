"""The registry of base models, and the resources that their jobs request."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .sections import HubId, OneLine, Section, UserPath
from .wheels import SMOLLM2_FILE, SMOLLM2_WHEEL, Wheel

Load = Literal["auto", "bfloat16", "float32", "4bit"]
_NOT_FOR_TEMPLATES = frozenset(
    {
        *("conversation", "messages", "chat_template", "tools", "documents", "tokenize", "add_generation_prompt"),
        *("continue_final_message", "padding", "truncation", "max_length", "return_tensors", "return_dict"),
        *("return_assistant_tokens_mask", "tokenizer_kwargs"),
    }
)
"""Arguments of transformers' `apply_chat_template` that reach no template."""


class Resources(Section):
    """Resources that a job with this model requests; memory and time increase with each attempt."""

    gpu: Annotated[int, Field(ge=0)] = 0
    """GPUs of one machine for each job. Over more than one, the model's layers are spread."""
    threads: Annotated[int, Field(ge=1)] = 2
    mem_mb: Annotated[int, Field(ge=500)] = 8000
    train_minutes: Annotated[int, Field(ge=1)] = 60
    infer_minutes: Annotated[int, Field(ge=1)] = 60
    parameters: Annotated[float, Field(gt=0)] | None = None
    """In billions. Only `snakemake plan` reads it, and only before the weights are downloaded."""


class ModelUsage(Section):
    """How a model is used, wherever it comes from."""

    load: Load = "auto"
    """The weights in memory. `auto`: bfloat16 where the device computes in it, else float32. `4bit`: NF4, by the
    package bitsandbytes on an NVIDIA GPU; adapters are then trained as QLoRA."""
    attention: Literal["auto", "sdpa", "eager", "flash"] = "auto"
    """`auto`: what transformers takes for the architecture, mostly sdpa. `flash` needs the package flash-attn."""
    max_tokens: Annotated[int, Field(ge=32)] = 2048
    """Longer questions lose the start of their stem, never an option. The model's own window limits it too."""
    chat_template: bool = True
    """Use the tokenizer's chat template if it has one; false: a plain prompt."""
    chat_template_kwargs: dict[str, bool | int | float | str] = {}
    """Values for the chat template: `enable_thinking: false` (the default), `date_string: "26 Jul 2024"`, ..."""

    @model_validator(mode="after")
    def _template_values(self) -> Self:
        for name in self.chat_template_kwargs:
            if not name.isidentifier() or name in _NOT_FOR_TEMPLATES:
                raise ValueError(
                    f"chat_template_kwargs: {name!r} is set by the workflow, or is not the name of a template's value"
                )
        return self


class _Model(ModelUsage):
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _gpu_for_4bit(self) -> Self:
        if self.load == "4bit" and self.resources.gpu == 0:
            raise ValueError("load: 4bit needs a GPU: set resources.gpu: 1, or load: auto")
        return self


class WheelFile(Section):
    """A file inside a wheel."""

    wheel: Wheel
    file: OneLine
    """Its path inside the wheel."""


class PyPIModel(_Model):
    """A GGUF file inside a wheel, or in parts inside several; converted once to safetensors.

    Or a model's folder with safetensors inside a wheel, or spread over several, where `file` ends in a slash.

    Where none of `wheel`, `file` and `parts` is given: SmolLM2-135M-Instruct (Apache-2.0), the model of the demo.
    """

    source: Literal["pypi"]
    wheel: Wheel | None = None
    file: OneLine | None = None
    """The GGUF's path inside the wheel, or that of a model's folder with a slash at its end."""
    parts: list[WheelFile] = []
    """Instead of `wheel` and `file`: the parts of one GGUF, in their order, where it is too large for one wheel."""

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        if (self.wheel is None) != (self.file is None) or (self.wheel is not None and self.parts):
            raise ValueError("name either wheel and file, or parts: a list of {wheel, file}")
        return self

    @model_validator(mode="after")
    def _parts_in_order(self) -> Self:
        names = [f"{part.wheel.package}/{part.file}" for part in self.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"parts: {next(n for n in names if names.count(n) > 1)} is named twice")
        # The digests of the wheels do not say in which order they come; their names mostly do.
        numbers = [tuple(map(int, re.findall(r"\d+", name))) for name in names]
        if len({re.sub(r"\d+", "0", name) for name in names}) == 1 and numbers != sorted(numbers):
            ordered = ", ".join(name for _, name in sorted(zip(numbers, names, strict=True)))
            raise ValueError(f"parts: not in the order of their numbers, which is {ordered}")
        return self

    @model_validator(mode="after")
    def _files_or_folders(self) -> Self:
        if len({piece.file.endswith("/") for piece in self.pieces}) > 1:
            raise ValueError("parts: name either parts of one GGUF file, or folders (with a slash at the end) alone")
        return self

    @property
    def is_folder(self) -> bool:
        """Whether it is a model's folder, not a GGUF file."""
        return self.pieces[0].file.endswith("/")

    @property
    def pieces(self) -> list[WheelFile]:
        """The files that make up the GGUF, in their order."""
        if self.wheel is not None and self.file is not None:
            return [WheelFile(wheel=self.wheel, file=self.file)]
        return self.parts or [WheelFile(wheel=SMOLLM2_WHEEL, file=SMOLLM2_FILE)]


class HubModel(_Model):
    """A model of the Hugging Face hub. The commit that the revision resolved to is recorded."""

    source: Literal["hub"]
    id: HubId
    revision: OneLine = "main"


class PathModel(_Model):
    """A local folder in Hugging Face form, weights as safetensors."""

    source: Literal["path"]
    path: UserPath


Model = Annotated[PyPIModel | HubModel | PathModel, Field(discriminator="source")]
