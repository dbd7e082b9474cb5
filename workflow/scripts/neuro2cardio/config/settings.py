"""The whole configuration as one pydantic model. Unknown keys are errors; each error names key, value and remedy."""

import json
from typing import Any, Self

from pydantic import BaseModel, ValidationError, model_validator

from ..core import specialties
from ..core.base_rows import BEST_PROMPT, FEW_SHOT
from ..core.errors import InputError, nearest
from .analysis import Figures, Statistics
from .annotation import ModelAnnotator
from .dataset import Dataset
from .grid import CONTROLS, Grid
from .inference import Inference, Method, Prompt
from .messages import explain
from .models import Model
from .planning import Planning
from .recipes import Recipe, dose_series
from .sections import RESERVED, Name, Section
from .terms import Terms


class Settings(Section):
    """Everything a run depends on. The JSON schema for editors is generated from this class."""

    experiment: Name
    """Names the folder under results/."""
    grid: Grid
    dataset: Dataset
    models: dict[Name, Model]
    """The registry; `grid.models` says which are used."""
    recipes: dict[Name, Recipe]
    prompt: Prompt = Prompt()
    inference: Inference = Inference()
    terms: Terms = Terms()
    statistics: Statistics = Statistics()
    figures: Figures = Figures()
    plan: Planning = Planning()

    @model_validator(mode="after")
    def _names(self) -> Self:
        for key, registry in (("models", self.models), ("recipes", self.recipes)):
            if taken := sorted(set(RESERVED) & set(registry)):
                raise ValueError(f"{key}: {taken[0]!r} names a row of the tables; call it something else")
        return self

    @model_validator(mode="after")
    def _registered(self) -> Self:
        for key, registry in (("models", self.models), ("recipes", self.recipes)):
            for name in getattr(self.grid, key):
                if name not in registry:
                    raise ValueError(f"grid.{key}: {name!r} is not in {key}{nearest(name, registry)}")
        annotator = self.dataset.annotation.annotator if self.dataset.annotation else None
        if isinstance(annotator, ModelAnnotator) and annotator.model not in self.models:
            raise ValueError(
                f"dataset.annotation.annotator.model: {annotator.model!r} is not in models"
                f"{nearest(annotator.model, self.models)}"
            )
        return self

    @model_validator(mode="after")
    def _wordings(self) -> Self:
        asked = [self._words(prompt) for prompt in self.prompts]
        for i, words in enumerate(asked):
            if words in asked[:i]:
                raise ValueError(
                    f"inference.base_prompts: entry {i} reads like an earlier one or `prompt` itself, by the methods "
                    f"{', '.join(self.inference.methods)}; change its words, or leave it out"
                )
        return self

    def _words(self, prompt: Prompt) -> dict[str, str]:
        used: set[Method | str] = {"system", "answer_cue", *self.inference.methods}
        return prompt.model_dump(include=used)

    @property
    def prompts(self) -> list[Prompt]:
        """The wording of the grid, then those of `inference.base_prompts`."""
        others = [self.prompt.model_copy(update=wording.given()) for wording in self.inference.base_prompts]
        return [self.prompt, *others]

    @property
    def base_rows(self) -> list[str]:
        """Rows of the base model that cost no training, beside the base model as it is (`base_rows.BASE_ROWS`)."""
        asked = {FEW_SHOT: self.inference.base_shots, BEST_PROMPT: self.inference.base_prompts}
        return [row for row, given in asked.items() if given]

    @property
    def train_sets(self) -> list[str]:
        """Slugs of the grid's specialties, then its controls: the rows of the transfer matrix."""
        return [specialties.slug(s) for s in self.grid.specialties] + list(self.grid.controls)

    @property
    def references(self) -> list[str]:
        """Rows beside the base model that heatmaps show changes against: its other rows, and controls of `CONTROLS`."""
        return [*self.base_rows, *(name for name in self.grid.controls if name in CONTROLS)]

    @property
    def dose_series(self) -> dict[str, list[str]]:
        """Recipes of the grid that differ in their dose alone, by the name of the first of them; none where none do."""
        return dose_series({name: self.recipes[name] for name in self.grid.recipes})


def load(config: dict[str, Any]) -> Settings:
    """Validate a whole configuration. Raises `InputError` with one line for each wrong key."""
    try:
        return Settings.model_validate(config, context={"further_specialties": _declared(config)})
    except ValidationError as error:
        lines = dict.fromkeys(explain(Settings, e) for e in error.errors())
        raise InputError("the configuration is wrong:\n" + "\n".join(f"  {line}" for line in lines)) from None


def _declared(config: dict[str, Any]) -> list[str]:
    """The specialties that a configuration declares, if valid; if not, validation reports that key."""
    dataset = config.get("dataset")
    names = dataset.get("further_specialties") if isinstance(dataset, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def canonical_json(part: BaseModel | dict[str, Any]) -> str:
    """JSON with sorted keys and no spaces, the form in which jobs get their part of the configuration."""
    data = part.model_dump(mode="json") if isinstance(part, BaseModel) else part
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def schema() -> str:
    """The JSON schema of config.yaml, as committed in workflow/schemas."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"
