"""One annotation as a job has it: its settings, and the annotator that they name, ready to ask."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..config.annotation import Annotation, LexiconAnnotator, OpenAIAnnotator
from ..config.inference import Prompt
from ..config.job_settings import JobSettings
from ..config.models import ModelUsage
from ..config.terms import Terms
from ..core import tables
from ..core.errors import InputError
from . import labels, prompts
from .annotators import Annotator

if TYPE_CHECKING:
    from .server import Server


class Task(JobSettings):
    """What the job's settings hold: those of the annotation, and what its backend needs besides."""

    annotation: Annotation
    usage: ModelUsage = ModelUsage()
    terms: Terms = Terms()

    @property
    def candidates(self) -> tuple[str, ...]:
        """What may be answered, besides Others: canonical names, and those of the user's own."""
        return tuple(self.annotation.candidates or labels.CANDIDATES)

    def forecast(self, questions: pd.DataFrame, responses: Path | None) -> str:
        """What is left to ask and what it would cost; other backends cost no more than their job."""
        if isinstance(self.annotation.annotator, OpenAIAnnotator):
            return str(self._server(self.annotation.annotator, responses).estimate(questions))
        return f"{len(questions)} questions, {len(prompts.WAYS)} ways each; no requests, nothing to pay"

    def annotator(
        self, responses: Path | None, record: Path | None, lexicon: Path | None, threads: int, gpus: int = 0
    ) -> Annotator:
        """The annotator, loaded. Raises `InputError` where a file that its backend needs is not given."""
        chosen = self.annotation.annotator
        if isinstance(chosen, OpenAIAnnotator):
            return self._server(chosen, responses)
        if isinstance(chosen, LexiconAnnotator):
            return self._terms(_needed(lexicon, "--lexicon"))
        return self._scored(_needed(record, "--record"), chosen.prior, threads, gpus)

    def _server(self, chosen: OpenAIAnnotator, responses: Path | None) -> "Server":
        from .server import Server

        texts = prompts.load(self.annotation.prompts)
        return Server(chosen, self.candidates, texts, _needed(responses, "--responses"))

    def _terms(self, path: Path) -> Annotator:
        from ..terms import backends, lexicon
        from .terms import TermVotes

        return TermVotes(backends.backend(self.terms, tables.read(path, lexicon.LEXICON), {}))

    def _scored(self, record: Path, prior: bool, threads: int, gpus: int) -> Annotator:
        from ..models import prompting, registry
        from .scored import ScoredCandidates

        folder = registry.location(record)
        return ScoredCandidates(
            registry.load(folder, self.usage.load, threads, self.usage.attention, gpus),
            prompting.for_model(folder, self.usage, Prompt()),
            prompts.load(self.annotation.prompts),
            self.candidates,
            prior,
        )


def _needed(path: Path | None, option: str) -> Path:
    if path is None:
        raise InputError(f"this annotator needs {option}")
    return path
