"""Results as an RO-Crate 1.1: a JSON-LD file that tells machines what the folder beside it holds.

https://www.researchobject.org/ro-crate/specification/1.1/
"""

from collections.abc import Iterable
import mimetypes
from pathlib import Path
from typing import Any

NAME = "ro-crate-metadata.json"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_PAPER = "https://arxiv.org/abs/2505.10113"
_FORMATS = {".parquet": "application/vnd.apache.parquet", ".jsonl": "application/jsonl", ".md": "text/markdown"}
_DESCRIPTIONS = {
    "verdict.json": "What was found, as sentences with the table row that each rests on",
    "summary.txt": "The same in words",
    "transfer_matrix.csv": "Accuracy and change against the base model, by train set and test specialty",
    "diagonal.csv": "The own adapter against the others, by specialty",
    "effects.csv": "Common gain, controls and specialty knowledge",
    "term_shift.csv": "Shift of the log-probability of clinical terms and placebo words",
    "questions.csv": "Each test question with what every adapter made of it",
    "index.html": "The report: everything on one page",
}


def metadata(
    folder: Path, title: str, date: str, adapters: Iterable[tuple[str, str]], provenance: dict[str, Any]
) -> dict[str, Any]:
    """The crate's metadata.

    Args:
        folder: The crate: every file in it is listed, but those of adapters, which are listed by folder.
        title: The experiment.
        date: When the results were made, ISO 8601.
        adapters: Folders of adapters inside the crate, and what each is.
        provenance: `questions`: source record; `versions`: packages; `models`: names of base models.
    """
    found = [(path if path.endswith("/") else f"{path}/", name) for path, name in adapters]
    files = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME and not path.name.startswith(".")
    ]
    listed = [path for path in files if not any(path.startswith(own) for own, _ in found)]
    graph = [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "conformsTo": {"@id": _SPECIFICATION},
            "about": {"@id": "./"},
        },
        _root(title, date, [*(own for own, _ in found), *listed]),
        *({"@id": own, "@type": "Dataset", "name": name} for own, name in found),
        *(_file(folder, path) for path in listed),
        *_context(provenance),
    ]
    return {"@context": f"{_SPECIFICATION}/context", "@graph": graph}


def _root(title: str, date: str, parts: list[str]) -> dict[str, Any]:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"neuro2cardio: {title}",
        "description": "What fine-tuning a language model on one clinical specialty does to its answers in the others: "
        "adapters, predictions, tables and report of one run.",
        "datePublished": date,
        "license": {"@id": "#licences"},
        "citation": {"@id": _PAPER},
        "mentions": {"@id": "#run"},
        "hasPart": [{"@id": part} for part in parts],
    }


def _file(folder: Path, path: str) -> dict[str, Any]:
    name, suffix = Path(path).name, Path(path).suffix
    kind = _FORMATS.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    size = (folder / path).stat().st_size
    return {
        "@id": path,
        "@type": "File",
        "name": _DESCRIPTIONS.get(name, name),
        "encodingFormat": kind,
        "contentSize": str(size),
    }


def _context(provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """The run, its software, its sources, and what is known about licences."""
    versions, source = provenance["versions"], provenance["questions"]
    software = {"@id": "#neuro2cardio", "@type": "SoftwareApplication", "name": "neuro2cardio"}
    used = [
        {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "version": v} for name, v in versions.items()
    ]
    data = {
        "@id": "#questions",
        "@type": "Dataset",
        "name": f"Questions: {source.get('id') or source.get('dataset', '')}",
    }
    if source.get("version"):
        data["version"] = str(source["version"])
    models = [{"@id": f"#model-{name}", "@type": "CreativeWork", "name": name} for name in provenance["models"]]
    return [
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "Fine-tuning and scoring of the grid",
            "instrument": [{"@id": entity["@id"]} for entity in (software, *used)],
            "object": [{"@id": entity["@id"]} for entity in (data, *models)],
            "result": {"@id": "./"},
        },
        *(software, *used, data, *models),
        {
            "@id": "#licences",
            "@type": "CreativeWork",
            "name": "Licences",
            "description": "Adapters: as their base models, see each README.md. Questions: as their source. "
            + str(source.get("notice", "")),
        },
        {
            "@id": _PAPER,
            "@type": "ScholarlyArticle",
            "name": "What Does Neuro Mean to Cardio? Investigating the Role of Clinical Specialty Data in Medical LLMs",
        },
    ]
