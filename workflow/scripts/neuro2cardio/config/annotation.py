"""How questions without specialties are annotated."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from .sections import Fraction, Name, NamedOnce, OneLine, Section, Seed, UserPath
from .urls import server_url


def _base_url(url: str) -> str:
    """The address under which a server has `/chat/completions`."""
    if urlsplit(server_url(url)).path.rstrip("/").endswith("/completions"):
        raise ValueError("it ends before /chat/completions, which is added to it")
    return url


def _variable(name: str) -> str:
    """The name of an environment variable. Values that look like a key are refused and not shown."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ValueError(
            "the name of an environment variable, in capitals like MY_API_KEY; the key itself stands in no file"
        )
    return name


class Prices(Section):
    """The price of a million tokens, in any currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class OpenAIAnnotator(Section):
    """A server with OpenAI's chat completions: OpenAI, vLLM, llama.cpp, `transformers serve`."""

    backend: Literal["openai"]
    model: Annotated[OneLine, Field(max_length=200)]
    base_url: Annotated[str, AfterValidator(_base_url)] = "https://api.openai.com/v1"
    key_variable: Annotated[str, AfterValidator(_variable)] | None = None
    """The environment variable with the API key, which no file contains. Null: `OPENAI_API_KEY` for OpenAI's own
    server, and no key for any other."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """Null: not sent, for models that do not accept one."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Answers per prompt. More than one gives finer label probabilities, and needs a temperature above 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 200
    """Maximum length of an answer. Answers that are cut off are paid for as well."""
    limit_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The server's name for that limit; OpenAI's newer models accept only the second."""
    seed: Annotated[int, Field(ge=0)] | None = 0
    """Of a prompt's first sample; the others count up from it. Null: not sent, for servers that refuse it."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 120
    attempts: Annotated[int, Field(ge=1)] = 6
    """Retries of each request, with increasing waits, or the wait that the server asks for."""
    max_unanswered: Fraction = 0.01
    """Share of requests that may remain unanswered. Above it the run stops, and the next run asks for them again."""
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


class ModelAnnotator(Section):
    """A model of the registry. Candidates are scored by log-probability; nothing is generated, nothing parsed."""

    backend: Literal["transformers"]
    model: Name
    prior: bool = True
    """Subtract each candidate's log-probability without a question (the model's prior)."""


class LexiconAnnotator(Section):
    """A vote of the terms found in the question: free, and the baseline."""

    backend: Literal["lexicon"]


class Conformal(Section):
    """Several specialties a question, with a guaranteed share of questions whose specialty is among them."""

    level: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """The share of questions whose set must contain the specialty."""
    target: Literal["primary", "all"] = "primary"
    """What a set must contain: the primary specialty, or all specialties of the question."""
    by_specialty: bool = False
    """Keep the level within each specialty, not only over all questions. Needs a larger calibration set."""
    calibration: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the labelled questions to calibrate on; coverage is measured on the others."""
    max_specialties: Annotated[int, Field(ge=1)] = 4
    """Larger sets mean that the annotator does not know: the question is released with the winner alone."""


class Verification(Section):
    """What experts are asked to check, and what they answered."""

    random: Annotated[int, Field(ge=0)] = 200
    """Questions drawn at random from all: the only ones that coverage may be calibrated and accuracy measured on."""
    per_specialty: Annotated[int, Field(ge=0)] = 10
    """More are drawn until each specialty that won has so many."""
    seed: Seed = 0
    experts: dict[Name, UserPath] = {}
    """Expert -> the completed sheet (CSV, JSON, Parquet), or a Label Studio export (JSON)."""


class Annotation(Section):
    """How questions without specialties are annotated. A source's own specialties serve as the truth for measures."""

    annotator: Annotated[OpenAIAnnotator | ModelAnnotator | LexiconAnnotator, Field(discriminator="backend")]
    licence: str = ""
    """Of the source, as the data card of the release states it."""
    prompts: UserPath | None = None
    """A folder with the five prompts and `shown.txt`; null: the project's own."""
    candidates: Annotated[list[str], NamedOnce] | None = None
    """The possible answers, besides Others; null: the 55 specialties of the study."""
    quorum: Annotated[int, Field(ge=1, le=5)] = 3
    """Votes of five that a specialty needs."""
    max_questions: Annotated[int, Field(ge=1)] | None = None
    """Annotate only so many, the first by question id; null: all."""
    min_questions: Annotated[int, Field(ge=1)] = 50
    """Specialties with fewer questions are reported."""
    conformal: Conformal = Conformal()
    verification: Verification = Verification()
