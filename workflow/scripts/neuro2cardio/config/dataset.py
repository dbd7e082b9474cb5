"""Where questions come from, and how splits and train sets are made from them."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..core import specialties
from ..core.base_rows import BASE_ROWS
from .annotation import Annotation
from .grid import CONTROLS
from .sections import RESERVED, AnySpecialty, Fraction, HubId, NamedOnce, OneLine, Section, UserPath
from .wheels import HPO_WHEEL, Wheel

_RESERVED = (*RESERVED, *BASE_ROWS, *CONTROLS, "others", "other", "none", "random")
"""What stands beside specialties in tables, paths, targets and answers of annotators."""
_LONGEST_NAME = 60
Labels = Literal["all", "primary"]


class SMedQA(Section):
    """The official release of S-MedQA, pinned by commit and git blob id, or a local copy of its files."""

    source: Literal["s-medqa"]
    directory: UserPath | None = None
    """A folder with S-MedQA_{train,validation,test}.json, or some of them. Without it, they are downloaded."""


class HPO(Section):
    """Questions made from the definitions of the Human Phenotype Ontology: definition -> term."""

    source: Literal["hpo"]
    wheel: Wheel = HPO_WHEEL


class Columns(Section):
    """The columns of a user's table."""

    stem: OneLine = "question"
    options: OneLine | Annotated[list[OneLine], NamedOnce] = "options"
    """One column with a list or a letter -> text mapping, or one column for each option."""
    answer: OneLine = "answer"
    """A column with the option's text, its letter or label, or its position."""
    answer_is: Literal["text", "letter", "index", "number"] = "text"
    """`letter`: also any label that the source gives its options. `index` counts from 0, `number` from 1."""
    specialty: OneLine | None = "specialty"
    """A column with one specialty or a list of them. Null: there is none; see `dataset.annotation`."""
    votes: OneLine | None = None
    id: OneLine | None = None
    """A column with your own identifiers. They are in every table, and splits depend on them, so that correcting a typo
    moves no question. Null: an identifier is made from the text."""


class HuggingFace(Section):
    """A data set of the Hugging Face hub (Parquet, JSON or CSV; no scripts)."""

    source: Literal["huggingface"]
    id: HubId
    revision: OneLine
    name: OneLine | None = None
    """The data set's configuration, where it has several."""
    splits: Annotated[dict[str, Literal["train", "validation", "test"]], Field(min_length=1)]
    """The data set's name of a split -> ours."""
    columns: Columns = Columns()
    specialties: dict[str, AnySpecialty | None] = {}
    """The data set's name of a specialty -> ours; null leaves its questions out."""


class Table(Section):
    """The user's own JSON, JSONL, CSV or Parquet files."""

    source: Literal["table"]
    files: Annotated[dict[Literal["train", "validation", "test", "all"], UserPath], Field(min_length=1)]
    """`all`: one file, from which the splits are made."""
    columns: Columns = Columns()
    specialties: dict[str, AnySpecialty | None] = {}
    """The table's name of a specialty -> ours; null leaves its questions out."""


class Split(Section):
    """How splits are made if the source has none: by a hash of the question's id, stratified by specialty."""

    made_from: Literal["train", "validation", "test", "all"] | None = None
    """The only split to use, from which all are made anew. Null: the source's own splits."""
    validation: Fraction = 0.1
    test: Fraction = 0.3

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} + test {self.test} leave nothing to train on")
        return self


class Leakage(Section):
    """Train questions that are also in the test set are dropped and listed; those that resemble one are listed."""

    ngram: Annotated[int, Field(ge=1)] = 8
    jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Jaccard similarity of word n-grams above which two questions count as the same."""
    listed: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of the shorter question's runs of five words that also stand in the other, from which on a question is kept
    and listed in `questions/similar.csv`: a paraphrase, or a text that holds part of another."""


class Dataset(Section):
    """Where questions come from and how train sets are made from them."""

    origin: Annotated[SMedQA | HPO | HuggingFace | Table, Field(discriminator="source")]
    further_specialties: list[str] = []
    """Specialties beyond the fifteen (Urology, Ophthalmology, one of your own). The embedded lexicon has no terms for
    them; one of your own (`terms.lexicon.backend: json`) may have."""
    labels: Labels = "all"
    """`all`: a question counts in each of its specialties, so that train sets overlap (`questions/overlap.csv`).
    `primary`: in the first that its source names alone, and train sets of specialties share no question."""
    split: Split = Split()
    leakage: Leakage = Leakage()
    annotation: Annotation | None = None
    """Annotate the questions with specialties first; null: the source has them."""
    unescape_html: bool = False
    """Replace HTML entities (`&lt;`, `&amp;`) by their characters. Their number is reported either way."""
    general: Table | None = None
    """A table of your own for the control `general`: questions of the same form without medicine (`files: {all: ...}`).
    Null: everyday nouns and their definitions, which the project brings."""
    max_rejected: Fraction = 0.02
    """Share of rejected rows above which the run stops."""
    min_train: Annotated[int, Field(ge=1)] = 100
    """A specialty with fewer train questions stops the run."""
    min_test: Annotated[int, Field(ge=1)] = 10
    train_size: Literal["matched", "natural"] | Annotated[int, Field(ge=1)] = "matched"
    """`matched`: every train set is cut to the smallest. A number: to that many, or fewer where there are fewer."""
    test_size: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of test questions per specialty; null: all."""
    probes: Annotated[int, Field(ge=0)] = 0
    """Facts of each specialty that every adapter is asked another way: up to so many that its train set asks for, and
    as many of the test split, which no train set does. Needs `origin.source: hpo`; 0: none."""

    @model_validator(mode="after")
    def _can_probe(self) -> Self:
        if self.probes and (self.origin.source != "hpo" or self.annotation):
            raise ValueError(
                f"probes: {self.probes} asks facts of an ontology another way, which needs origin.source: hpo and no "
                "annotation; set probes: 0"
            )
        return self

    @model_validator(mode="after")
    def _declared(self) -> Self:
        slugs = [specialties.slug(name) for name in self.further_specialties]
        for name, slug in zip(self.further_specialties, slugs, strict=True):
            if known := specialties.find(name):
                raise ValueError(f"further_specialties: {name!r} is {known}, one of the fifteen; leave it out")
            if unfit := re.search(r"[;|,\n\r\t\x00]", name):
                raise ValueError(
                    f"further_specialties: {name!r} has {unfit.group()!r}, which separates names in sheets"
                )
            if len(name) > _LONGEST_NAME or name != name.strip():
                raise ValueError(
                    f"further_specialties: {name!r} is longer than {_LONGEST_NAME} characters, or has blanks around it"
                )
            if slug in _RESERVED:
                raise ValueError(f"further_specialties: {name!r} is the name of something else in all tables")
            if not slug or slugs.count(slug) > 1:
                raise ValueError(f"further_specialties: {name!r} needs letters that no other of them has in this order")
        return self

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        meanings: dict[str, tuple[str, str | None]] = {}
        for name, ours in getattr(self.origin, "specialties", {}).items():
            other, meant = meanings.setdefault(specialties.key(name), (name, ours))
            if meant != ours:
                raise ValueError(
                    f"origin.specialties: {other!r} and {name!r} are one name, and mean {meant!r} and {ours!r}"
                )
        return self

    @property
    def all_specialties(self) -> tuple[str, ...]:
        """The fifteen, and those of the user's own."""
        return (*specialties.SPECIALTIES, *self.further_specialties)

    def own_names(self) -> dict[str, str | None]:
        """The user's own names of specialties (`specialties.key`), and what they mean; None: left out."""
        named = {name: name for name in self.further_specialties} | getattr(self.origin, "specialties", {})
        return {specialties.key(name): ours for name, ours in named.items()}
