"""Draw random terms of every specialty from the lexicon, as a table that a physician can read.

Without --with-hpo the lexicon is built from ICD-10-CM and the supplement alone, and the table may be published.
"""

import argparse
from pathlib import Path

from neuro2cardio.core import files
from neuro2cardio.core.errors import run
from neuro2cardio.terms import lexicon
from neuro2cardio.terms.lexicon import sample

HEAD = """# {each} random terms of every specialty

Drawn from {sources} (seed {seed}) by `python workflow/scripts/lexicon_sample.py`.
{note}
"""
WITHOUT_HPO = """The repository holds nothing derived from the Human Phenotype Ontology: its terms are left out here.
`--with-hpo --out results/lexicon-sample.md` draws from the whole lexicon.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hpo", type=Path, default=Path("resources/ontologies/hp.obo"))
    parser.add_argument("--icd10cm", type=Path, default=Path("resources/ontologies/icd10cm.xml"))
    parser.add_argument("--with-hpo", action="store_true", help="for results/ only: not to be published")
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-specialties", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/lexicon-sample.md"))
    arguments = parser.parse_args()
    hpo = arguments.hpo if arguments.with_hpo else None
    built = lexicon.embedded(hpo, arguments.icd10cm, max_specialties=arguments.max_specialties)
    head = HEAD.format(
        each=arguments.each,
        sources=", ".join(f"{name} {version}" for name, version in built.versions.items()),
        seed=arguments.seed,
        note="" if arguments.with_hpo else WITHOUT_HPO,
    )
    drawn = sample.sample(built.terms, each=arguments.each, seed=arguments.seed)
    files.write_text(arguments.out, head + sample.markdown(drawn))


if __name__ == "__main__":
    run(main)
