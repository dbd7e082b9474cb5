"""The test questions that every adapter answers, and the specialties that each counts in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..core.errors import InputError

ALL = "all"
"""The test specialty that contains all test questions."""


@dataclass(frozen=True)
class TestSet:
    """The test questions, and the specialties that each counts in.

    Attributes:
        question_ids: (questions,), the order of every array's last axis.
        answers: (questions,), the right option's index.
        n_options: (questions,).
        members: For each test specialty, and `all`: (questions,) bool.
    """

    question_ids: pd.Index
    answers: NDArray[np.int64]
    n_options: NDArray[np.int64]
    members: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, questions: pd.DataFrame, specialties: list[str]) -> "TestSet":
        """Select the test set from the question table. Raises `InputError` if a specialty has no test question."""
        test = questions[questions["split"] == "test"]
        members = {name: test["specialties"].map(lambda held, name=name: name in held) for name in specialties}
        empty = [name for name, member in members.items() if not member.any()]
        if test.empty or empty:
            raise InputError(f"no test questions{' of ' + ', '.join(empty) if empty else ''} in the question table")
        return cls(
            question_ids=pd.Index(test["question_id"]),
            answers=test["answer"].to_numpy(dtype=np.int64),
            n_options=test["options"].map(len).to_numpy(dtype=np.int64),
            members={name: member.to_numpy(dtype=bool) for name, member in members.items()}
            | {ALL: np.ones(len(test), dtype=bool)},
        )
