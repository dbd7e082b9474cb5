"""Data sets of questions. Each has its own module, which yields raw rows.

Cheap to import: the Snakefile asks it which files a data set needs, and learns of missing ones before the first job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.dataset import HPO, Dataset, HuggingFace, SMedQA, Table
from ...core import provenance
from ...core.errors import InputError, nearest
from ...core.records import SUFFIXES

HPO_FILE = Path("resources/ontologies/hp.obo")
S_MEDQA_FOLDER = Path("resources/datasets/s-medqa")
SPLITS = ("train", "validation", "test")
UNSPLIT = "all"


@dataclass(frozen=True, slots=True)
class RawQuestion:
    """A question as it is in its source, not yet validated: any text may be empty and any specialty unknown."""

    row: str
    """Its place in the source, for people to find it."""
    split: str
    """`train`, `validation`, `test`, or `all` if the source has no splits."""
    stem: str
    options: tuple[str, ...]
    answer: str | int
    """The text of an option, or its index from 0 (an index that does not exist if the answer is unknown)."""
    specialties: tuple[str, ...]
    """The source's own names, the primary one first."""
    votes: tuple[str, ...] = ()
    own_id: str = ""
    """The question's identifier in the source; empty if there is none."""
    problem: str = ""
    """Why the row can't be read; empty if it can."""


def files(dataset: Dataset) -> dict[str, Path]:
    """The files that the questions are read from: split (or `all`) -> path, only those that `split.made_from` selects.

    Files that the workflow downloads need not exist yet.

    Raises:
        InputError: A file or folder of the user is missing, or the data set lacks a split that is needed.
    """
    found = _all_files(dataset.origin)
    _check_splits(dataset, set(found))
    wanted = dataset.split.made_from
    return found if wanted in (None, UNSPLIT) else {wanted: found[wanted]}


def read(dataset: Dataset) -> Iterator[RawQuestion]:
    """The rows of a data set. If `split.made_from` is set, their split is `all`, because new splits will be made."""
    origin = dataset.origin
    for split, path in files(dataset).items():
        yield from _read_file(origin, path, UNSPLIT if dataset.split.made_from else split)


def describe(dataset: Dataset) -> dict[str, Any]:
    """What the questions are made from: the data set, its version, its notice, and the sha256 of its files."""
    origin = dataset.origin
    record: dict[str, Any] = {
        "dataset": origin.source,
        "files": {str(path): provenance.sha256(path) for path in files(dataset).values()},
    }
    if isinstance(origin, HPO):
        from ...core import ontologies

        record |= {"version": ontologies.hpo_version(HPO_FILE), "notice": "Uses the Human Phenotype Ontology."}
    elif isinstance(origin, SMedQA):
        from . import s_medqa

        record |= {"version": s_medqa.COMMIT if origin.directory is None else "local copy"}
    elif isinstance(origin, HuggingFace):
        record |= {"id": origin.id, "version": origin.revision}
    return record


def hub_folder(origin: HuggingFace) -> Path:
    """The folder of a hub data set, with one Parquet file per split."""
    name = "--".join([*origin.id.split("/"), *([origin.name] if origin.name else []), origin.revision])
    return Path("resources/datasets/huggingface") / name.replace("/", "-")


def _all_files(origin: SMedQA | HPO | HuggingFace | Table) -> dict[str, Path]:
    if isinstance(origin, SMedQA):
        return _s_medqa_files(origin)
    if isinstance(origin, HPO):
        return {UNSPLIT: HPO_FILE}
    if isinstance(origin, HuggingFace):
        return {ours: hub_folder(origin) / f"{ours}.parquet" for ours in sorted(set(origin.splits.values()))}
    for split, path in origin.files.items():
        if not path.is_file():
            raise InputError(f"dataset.origin.files.{split}: no file {path}{_beside(path)}")
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"dataset.origin.files.{split}: {path} is none of {', '.join(SUFFIXES)}")
    return {str(split): path for split, path in origin.files.items()}


def _s_medqa_files(origin: SMedQA) -> dict[str, Path]:
    folder = origin.directory or S_MEDQA_FOLDER
    paths = {split: folder / f"S-MedQA_{split}.json" for split in SPLITS}
    if origin.directory is None:
        return paths
    if not folder.is_dir():
        raise InputError(f"dataset.origin.directory: no folder {folder}{_beside(folder)}")
    found = {split: path for split, path in paths.items() if path.is_file()}
    if not found:
        raise InputError(
            f"dataset.origin.directory: {folder} holds none of {', '.join(p.name for p in paths.values())}"
        )
    return found


def _check_splits(dataset: Dataset, found: set[str]) -> None:
    """Raise if neither the source's splits nor `split.made_from` give a train and a test split."""
    wanted = dataset.split.made_from
    has = f"{dataset.origin.source} has {', '.join(sorted(found))}"
    if UNSPLIT in found and len(found) > 1:
        raise InputError(f"dataset.origin.files: `all` stands alone, or is left out ({has})")
    if wanted not in (None, UNSPLIT) and wanted not in found:
        raise InputError(f"dataset.split.made_from: there is no split {wanted!r}: {has}")
    if wanted is None and found != {UNSPLIT} and not {"train", "test"} <= found:
        missing = " and no ".join(s for s in ("train", "test") if s not in found)
        raise InputError(
            f"dataset.origin: no {missing} split: {has}; set dataset.split.made_from to one of "
            f"{', '.join([*sorted(found), UNSPLIT])} to make all splits from it"
        )


def _read_file(origin: Any, path: Path, split: str) -> Iterator[RawQuestion]:
    if isinstance(origin, SMedQA):
        from . import s_medqa

        return s_medqa.rows(path, split)
    if isinstance(origin, HPO):
        from . import hpo

        return hpo.rows(path, split)
    from . import table

    return table.rows(path, split, origin.columns)


def _beside(path: Path) -> str:
    """The nearest name in the folder of a missing path; nothing if the folder is missing too."""
    folder = path.parent
    return nearest(path.name, [p.name for p in folder.iterdir()]) if folder.is_dir() and any(folder.iterdir()) else ""
