"""The annotated data set as others can use it: S-MedQA's JSON, Parquet with votes and sets, and a data card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ..config.annotation import Annotation
from ..config.dataset import Columns, Dataset, Split, Table
from ..core import tables
from ..core.files import atomic_write
from ..core.specialties import SPECIALTIES, with_others
from ..questions import identity, question_table
from ..questions.sources import SPLITS, RawQuestion
from .labels import CANDIDATES

_TEXTS = pa.list_(pa.string())
RELEASE = pa.schema(
    {
        "question_id": pa.string(),
        "question": pa.string(),
        "options": _TEXTS,
        "answer": pa.string(),
        "specialty": pa.string(),
        "specialties": _TEXTS,
        "decided_by": pa.string(),
        "votes": _TEXTS,
        "agreement": pa.int64(),
        "labels": _TEXTS,
        "probabilities": pa.list_(pa.float64()),
        "conformal_set": _TEXTS,
        "source": pa.string(),
        "source_row": pa.string(),
    }
)
"""One row a question. `answer` is the option's text. `specialties` has the primary `specialty` first. `decided_by`:
`votes` or `experts`. `votes`: one for each prompt, empty where there was none. `conformal_set` may be too large to say
anything; it is whole here, and in `specialties` only where it is small enough."""

COLUMNS = Columns(specialty="specialties", votes="votes")
"""How the `table` source reads a release with all its specialties; with its defaults it reads the primary one."""
_HELD = {"primary": "the primary specialty", "all": "all specialties"}
DROPPED = ("question_id", "status", "winner", "agreement")


@dataclass(frozen=True)
class Decision:
    """The specialties of one question, the primary first, and who decided on them."""

    specialties: tuple[str, ...]
    decided_by: str


@dataclass(frozen=True)
class Release:
    """What is released, what is not, and the tables of the data card."""

    questions: pd.DataFrame
    """Columns of `RELEASE`, and `split`."""
    dropped: pd.DataFrame
    """Questions without a specialty in the end: id, status of the vote, winner and its votes."""
    doubles: pd.DataFrame
    """Doubles among the others."""
    leaked: pd.DataFrame
    """Questions left out of train or validation because they stand in test or validation."""


def decide(
    votes: pd.DataFrame,
    sets: pd.DataFrame,
    trail: pd.DataFrame,
    max_specialties: int,
    names: Sequence[str] = SPECIALTIES,
) -> dict[str, Decision]:
    """The specialties of each question that has any.

    Accepted winners, with the rest of their conformal set where it holds no more than ``max_specialties`` altogether;
    over them, what experts agreed on. A question whose specialty experts found outside of ``names`` has none.
    """
    held = dict(zip(sets["question_id"], sets["labels"], strict=True))
    accepted = votes[votes["status"] == "accepted"]
    decided = {}
    for question_id, winner in zip(accepted["question_id"], accepted["winner"], strict=True):
        every = (winner, *(name for name in held.get(question_id, ()) if name != winner))
        decided[question_id] = Decision(every if len(every) <= max_specialties else every[:1], "votes")
    agreed = trail[trail["verdict"] != "disputed"]
    for question_id, after, also in zip(agreed["question_id"], agreed["after"], agreed["also"], strict=True):
        decided.pop(question_id, None)
        if after in names:
            further = tuple(name for name in also if name in names)
            decided[question_id] = Decision((after, *further), "experts")
    return decided


def assemble(
    raw: Sequence[RawQuestion],
    decided: Mapping[str, Decision],
    votes: pd.DataFrame,
    sets: pd.DataFrame,
    dataset: Dataset,
) -> Release:
    """Join questions with their specialties and split them as the grid does: without leakage between splits."""
    labelled = [
        replace(row, specialties=decided[i].specialties) for row in raw if (i := identity.identify(row)) in decided
    ]
    built = question_table.build(labelled, _without_limits(dataset), dataset.all_specialties)
    table = built.questions
    held = sets[["question_id", "labels"]].rename(columns={"labels": "conformal_set"})
    about = votes.merge(held, on="question_id", validate="one_to_one")
    joined = table.drop(columns="votes").merge(about, on="question_id", validate="many_to_one")
    joined["question"], joined["decided_by"] = joined["stem"], [decided[i].decided_by for i in joined["question_id"]]
    joined["answer"] = [options[i] for options, i in zip(joined["options"], joined["answer"], strict=True)]
    dropped = votes[~votes["question_id"].isin(decided.keys())][list(DROPPED)]
    return Release(joined[["split", *RELEASE.names]], dropped, built.rejected, built.leaked)


def write(release: Release, folder: Path, card: str) -> None:
    """Write a folder that the sources `s-medqa` and `table` and ``datasets.load_dataset`` read, whole or not at all."""
    with atomic_write(folder) as part:
        part.mkdir()
        for split in SPLITS:
            rows = release.questions[release.questions["split"] == split]
            if len(rows):
                tables.write(rows[RELEASE.names], part / "parquet" / f"{split}.parquet", RELEASE)
                text = json.dumps([_s_medqa(row) for row in rows.to_dict("records")], indent=1, ensure_ascii=False)
                (part / f"S-MedQA_{split}.json").write_text(text + "\n", encoding="utf-8")
        for name, frame in {"dropped": release.dropped, "doubles": release.doubles, "leakage": release.leaked}.items():
            tables.write_csv(frame, part / f"{name}.csv")
        (part / "README.md").write_text(card, encoding="utf-8")


def as_dataset(folder: Path, dataset: Dataset) -> Dataset:
    """The data set that reads a release in place of its source: its splits, with all specialties of a question."""
    files: Any = {split: path for split in SPLITS if (path := folder / "parquet" / f"{split}.parquet").is_file()}
    origin = Table(source="table", files=files, columns=COLUMNS)
    return dataset.model_copy(update={"origin": origin, "split": Split(), "annotation": None})


def sizes(release: Release) -> pd.DataFrame:
    """Questions by specialty and split, the 15 first; a question counts in each of its specialties."""
    each = release.questions[["split", "specialties"]].explode("specialties")
    names = with_others(release.questions["specialties"])
    table = pd.crosstab(each["specialties"], each["split"]).reindex(index=names, columns=SPLITS, fill_value=0)
    return table.rename_axis("specialty").rename_axis(None, axis=1).assign(all=table.sum(axis=1)).reset_index()


def facts(dataset: Dataset, described: Mapping[str, Any]) -> dict[str, str]:
    """Where questions and specialties come from, for the data card. ``described`` is what `sources.describe` says."""
    annotation = dataset.annotation
    if annotation is None:
        raise ValueError("a release needs dataset.annotation")
    chosen, conformal = annotation.annotator, annotation.conformal
    named = {**described, "licence": annotation.licence or "not stated"}
    return {name: str(value) for name, value in named.items()} | {
        "annotator": ", ".join([chosen.backend, *filter(None, [getattr(chosen, "model", "")])]),
        "prompts": str(annotation.prompts or "the project's own five"),
        "candidates": f"{len(annotation.candidates or CANDIDATES)} specialties and Others",
        "quorum": f"{annotation.quorum} votes of 5",
        "conformal sets": f"level {conformal.level:g}, holding {_HELD[conformal.target]}"
        + (", within each specialty" if conformal.by_specialty else ""),
    }


def evidence(folder: Path, quorum: int) -> dict[str, pd.DataFrame]:
    """The tables of the data card by heading, from the folder of the steps before."""
    quorums = pd.read_csv(folder / "quorum.csv")
    overall = quorums.query("by == 'all' and n > 0").drop(columns=["by", "specialty"])
    won = quorums[(quorums["by"] == "winner") & (quorums["quorum"] == quorum) & (quorums["covered"] > 0)]
    return {
        "Accuracy and coverage by quorum, against the known truth": overall,
        f"Accuracy at {quorum} votes, by the specialty that won": won[
            ["specialty", "covered", "correct", "accuracy", "accuracy_low", "accuracy_high"]
        ],
        "Agreement of the prompts": pd.read_csv(folder / "agreement.csv"),
        "Agreement of the experts": pd.read_csv(folder / "verification/agreement.csv"),
        "Conformal sets, on questions not calibrated on": pd.read_csv(folder / "conformal.csv"),
    }


def card(
    release: Release, facts: Mapping[str, str], evidence: Mapping[str, pd.DataFrame], annotation: Annotation
) -> str:
    """The data card (README.md): what Hugging Face's `datasets` needs to load it, and what a reader needs to trust it.

    :param facts: lines of the section on origin: source, its licence, annotator, versions.
    :param evidence: tables of accuracy, coverage and agreement by heading; an empty one says that it was not measured.
    """
    counts = sizes(release)
    few = counts[counts["all"] < annotation.min_questions]
    several = int((release.questions["specialties"].str.len() > 1).sum())
    experts = int((release.questions["decided_by"] == "experts").sum())
    parts = [
        _front_matter(release, facts["licence"]),
        "# Questions with clinical specialties\n",
        f"{len(release.questions)} multiple-choice questions, {several} of them with several specialties; {experts} by "
        f"experts, {len(release.questions) - experts} by votes ({annotation.quorum} of 5 or more). "
        f"{len(release.dropped)} questions got no specialty (`dropped.csv`), {len(release.doubles)} are doubles "
        f"(`doubles.csv`), and {len(release.leaked)} also stand in a later split (`leakage.csv`).\n",
        "## Origin\n\n" + "\n".join(f"- {name}: {text}" for name, text in facts.items()) + "\n",
        "## Sizes\n\n" + _markdown(counts),
        f"Below {annotation.min_questions} questions: {', '.join(few['specialty']) or 'none'}.\n",
        *(f"## {name}\n\n" + (_markdown(t) if len(t) else "Not measured.\n") for name, t in evidence.items()),
        _LIMITS,
        _LOADING,
    ]
    return "\n".join(parts)


_LIMITS = """## Known limits

- Specialties are those of the annotator unless `decided_by` is `experts`. A vote of one model's prompts agrees with
  itself more easily than with a physician: read its agreement as consistency, not as accuracy.
- Specialties overlap. A question on a child's heart is decided by what the question asks, and rightly disputed.
- The level of the conformal sets holds on average over questions like those it was calibrated on, and only for whole
  sets: where a set is too large to be of use, `specialties` has the winner alone.
- Exam questions are not patients. The data say nothing on how a model would serve either.
"""
_LOADING = """## Loading

```python
from datasets import load_dataset
load_dataset("path/to/this/folder")                # Parquet, everything
```

`S-MedQA_*.json` has the form of the S-MedQA release: `Question`, `Specialty` (the primary one), `Options`, `Answer`,
and `Specialties` besides.
"""


def _without_limits(dataset: Dataset) -> Dataset:
    """Sizes and grids are matters of an experiment, not of a release."""
    changes = {"max_rejected": 1.0, "min_train": 0, "min_test": 0, "test_size": None}
    return dataset.model_copy(update=changes)


def _s_medqa(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Question": row["question"],
        "Specialty": row["specialty"],
        "Options": list(row["options"]),
        "Answer": row["answer"],
        "Specialties": list(row["specialties"]),
    }


def _front_matter(release: Release, licence: str) -> str:
    files = "\n".join(
        f"  - split: {split}\n    path: parquet/{split}.parquet"
        for split in SPLITS
        if (release.questions["split"] == split).any()
    )
    stated = f"license: other\nlicense_name: {json.dumps(licence)}\n"
    return (
        f"---\n{stated}task_categories:\n- multiple-choice\nlanguage:\n- en\ntags:\n- medical\n"
        f"configs:\n- config_name: default\n  data_files:\n{files}\n---\n"
    )


def _markdown(table: pd.DataFrame) -> str:
    def cell(value: Any) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value).replace("|", "\\|")

    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + " --- |" * table.shape[1]]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"
