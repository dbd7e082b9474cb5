"""Facts of an ontology asked another way than in training: those trained on, and as many that no train set has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..core import specialties
from ..core.errors import InputError
from ..core.provenance import text_digest
from ..core.tables import PROBES
from .sources import hpo

SPLIT = "probe"


def draw(
    questions: pd.DataFrame,
    sets: Mapping[str, pd.DataFrame],
    grid: Sequence[str],
    n: int,
    dose: int | None,
    ontology: Path | str,
) -> pd.DataFrame:
    """Draw facts of each specialty, and ask each in all of `hpo.FORMS`: rows of `tables.PROBES`.

    Facts never trained on are those of the test split, which is cleared of leaks: no train question says the same.
    Facts of several specialties are left out, since each of these trains on them. Both groups of a specialty have the
    same size, and the draw is by a hash of the question.

    Args:
        questions: The question table.
        sets: Train sets by slug, of the specialties at least.
        grid: Canonical names of the specialties.
        n: So many facts a specialty and group, or as many as the smaller of both groups has.
        dose: Of each train set, only the first so many questions are trained on by every recipe; None: all.
        ontology: The OBO file of which the questions were made.

    Raises:
        InputError: A specialty has no fact that can be asked in every form.
    """
    test = questions[questions["split"] == "test"]
    groups = {
        name: [_facts(sets[specialties.slug(name)].head(dose or len(questions)), name), _facts(test, name)]
        for name in grid
    }
    asked = hpo.probes(ontology, [fact for both in groups.values() for group in both for fact in group])
    rows = []
    for name, both in groups.items():
        trained, untrained = ([fact for fact in group if fact in asked] for group in both)
        size = min(n, len(trained), len(untrained))
        if not size:
            raise InputError(
                f"dataset.probes: {name} has no fact that can be asked another way, of {len(both[0])} trained on and "
                f"{len(both[1])} of the test split; leave it out of grid.specialties, or set probes: 0"
            )
        for facts, is_trained in ((trained[:size], True), (untrained[:size], False)):
            rows += [_row(fact, probe, name, is_trained) for fact in facts for probe in asked[fact]]
    return pd.DataFrame(rows, columns=PROBES.names)


def _facts(questions: pd.DataFrame, specialty: str) -> list[str]:
    """Ids of the terms that questions of this specialty alone ask for, in the order of a hash."""
    own = questions[questions["specialties"].map(lambda held: list(held) == [specialty])]
    order = own["question_id"].map(lambda question_id: text_digest(SPLIT, question_id)).sort_values().index
    return own.loc[order, "source_row"].tolist()


def _row(fact: str, probe: hpo.Probe, specialty: str, trained: bool) -> dict[str, object]:
    return {
        "question_id": f"{fact} {probe.form}",
        "split": SPLIT,
        "source": "hpo",
        "source_row": fact,
        "stem": probe.stem,
        "options": list(probe.options),
        "answer": probe.options.index(probe.answer),
        "specialty": specialty,
        "specialties": [specialty],
        "votes": [],
        "fact": fact,
        "form": probe.form,
        "trained": trained,
    }
