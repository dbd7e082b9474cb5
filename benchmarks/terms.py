"""CPU seconds to build the lexicon, and to find terms and placebos of 2,000 questions, with the memory that both take.

    PYTHONPATH=workflow/scripts python benchmarks/terms.py results/terms/questions.parquet

Fewer questions are repeated until there are 2,000. It wants the ontologies that any run fetches to resources/.
"""

from pathlib import Path
import resource
import sys
import time

import pandas as pd

from neuro2cardio.core import tables
from neuro2cardio.terms import lexicon, mentions
from neuro2cardio.terms.backends import LexiconBackend

ONTOLOGIES = Path(__file__).parents[1] / "resources/ontologies"
QUESTIONS = 2000


def main() -> None:
    """Print a line for each of the two, and for the memory."""
    given = tables.read(sys.argv[1], tables.QUESTIONS)
    asked = pd.concat([given] * -(-QUESTIONS // len(given)), ignore_index=True).head(QUESTIONS)
    started = time.process_time()
    built = lexicon.embedded(ONTOLOGIES / "hp.obo", ONTOLOGIES / "icd10cm.xml", max_specialties=3)
    print(f"lexicon: {time.process_time() - started:.1f} s CPU")
    started = time.process_time()
    found = mentions.table(asked, LexiconBackend(built.terms, built.versions), with_placebos=True)
    print(f"{len(asked)} questions: {time.process_time() - started:.1f} s CPU, {len(found)} mentions and placebos")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{memory:.0f} MB at the peak")


if __name__ == "__main__":
    main()
