"""A model of the registry as annotator: every candidate's log-probability is read, nothing is generated or parsed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..models import logprobs
from ..models.logprobs import Query, Readout
from ..models.prompting import Prompter, Question
from ..models.registry import LoadedModel
from . import prompts
from .annotators import ANSWERS
from .labels import OTHERS

ANSWER = "Specialty: {label}"
"""What the prompts ask for, and so what is scored."""
CONTENT_FREE = "N/A"
"""A question that says nothing (Zhao et al. 2021, arXiv 2102.09690): what a candidate gets for it, it gets unearned."""
_CUT_CHARACTERS = 200
_BATCH = 8
"""Questions posed together: what a prompt says before the question is computed once for all of them."""


@dataclass(frozen=True)
class ScoredCandidates:
    """Label probabilities by scoring: softmax over candidates of the log-probability of `ANSWER` after each prompt.

    With ``prior``, the log-probability after a content-free question is subtracted first: small models prefer some
    names whatever is asked.
    """

    model: LoadedModel
    prompter: Prompter
    texts: Mapping[str, str]
    candidates: Sequence[str]
    prior: bool

    def annotate(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Answers with the likeliest candidate as label and all probabilities."""
        names = [*self.candidates, OTHERS]
        rows = []
        for start in range(0, len(questions), _BATCH):
            batch = list(questions.iloc[start : start + _BATCH].itertuples())
            scores = {
                way: self._logprobs(
                    {q.question_id: self._queries(text, q.stem, q.options, q.question_id) for q in batch}
                )
                for way, text in self.texts.items()
            }
            for i, question in enumerate(batch):
                for way, found in scores.items():
                    probabilities = _softmax(found[i] - self._priors[way] if self.prior else found[i])
                    best = names[int(np.argmax(probabilities))]
                    rows.append((question.question_id, way, 0, "", best, "", names, probabilities.tolist(), 0))
        return pd.DataFrame(rows, columns=ANSWERS.names)

    @cached_property
    def _priors(self) -> dict[str, npt.NDArray[np.float64]]:
        empty = (CONTENT_FREE, [CONTENT_FREE], CONTENT_FREE)
        return {way: self._logprobs({CONTENT_FREE: self._queries(text, *empty)})[0] for way, text in self.texts.items()}

    def _logprobs(self, groups: Mapping[str, list[Query]]) -> npt.NDArray[np.float64]:
        """Log-probability of each candidate as the answer, in nats, by question id: (questions, candidates)."""
        values = logprobs.read(self.model, list(groups.values()))
        scores = np.array([[sum(float(v[0]) for v in read) for read in group] for group in values])
        for question_id, row in zip(groups, scores, strict=True):
            if not np.isfinite(row).all():
                raise InputError(
                    f"question {question_id}: the model's log-probabilities are not finite; try load: float32"
                )
        return scores

    def _queries(self, text: str, stem: str, options: Sequence[str], question_id: str) -> list[Query]:
        """One query a candidate. A stem too long for the model's window loses its start, never the instruction."""
        while True:
            message = prompts.fill(text, stem, options, self.candidates)
            posed = Question(question_id, message, (), 0)
            tokens = [
                self.prompter.pose(posed, "cloze", ANSWER.format(label=name)) for name in (*self.candidates, OTHERS)
            ]
            if max(len(t.ids) for t in tokens) <= self.prompter.window:
                break
            if len(stem) <= _CUT_CHARACTERS:
                raise InputError(
                    f"question {question_id}: prompt and options alone are longer than the model's window of "
                    f"{self.prompter.window} tokens; name fewer dataset.annotation.candidates, or use another model"
                )
            stem = stem[_CUT_CHARACTERS:]
        return [Query(t.ids[:-1], tuple(Readout(i, (t.ids[i],)) for i in range(t.answer, len(t.ids)))) for t in tokens]


def _softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = np.exp(scores - scores.max())
    return shifted / shifted.sum()
