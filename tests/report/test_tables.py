"""What is made of the results for papers and for spreadsheets."""

import shutil
import subprocess

import pandas as pd
import planted
import pytest
from test_page import TRAIN_SETS, results

from neuro2cardio.core import specialties, tables
from neuro2cardio.report import latex, people_table


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    axes = planted.axes_of(TRAIN_SETS)
    return results(tmp_path_factory.mktemp("tables"), axes), axes


def test_which_questions_did_an_adapter_newly_get_right_takes_no_join(grid):
    folder, axes = grid
    questions = tables.read(folder / "test_split/questions.parquet", tables.QUESTIONS)
    table = people_table.build(questions, folder / "predictions", axes, ["cloze"])
    matrix = pd.read_csv(folder / "tables/transfer_matrix.csv").query("method == 'cloze' and test_specialty == 'all'")
    assert list(table.columns) == [*people_table.BEFORE, *TRAIN_SETS, "gained", "lost"]
    for row in matrix.itertuples():
        assert table[row.train_set].mean() == pytest.approx(row.accuracy, abs=1e-5)
    newly = table[table["gained"].str.split("; ").map(lambda names: "neurology" in names)]
    assert len(newly) and (newly["neurology"] > newly["base"]).all()


def test_a_table_for_a_paper_is_latex_whatever_the_names_hold(grid):
    folder, axes = grid
    matrix = pd.read_csv(folder / "tables/transfer_matrix.csv")
    text = latex.transfer_table(matrix, axes, "small", "completion", "cloze")
    assert text.count(r"\\") == 2 + len(TRAIN_SETS)
    assert r"\textbf{" in text and r"\toprule" in text
    assert latex.escape(r"50% of A_B & {C}\~^#$") == (
        r"50\% of A\_B \& \{C\}\textbackslash{}\textasciitilde{}\textasciicircum{}\#\$"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_table_compiles_whatever_specialties_are_called_and_fits_the_page(grid, tmp_path):
    folder, _ = grid
    names = ["Hals-, Nasen- & Ohrenheilkunde", "Größe_2 ± 50 % [#1]", "Soins d’été – «œil» ≥ 3", 'A | B < C → D × "E"']
    names += specialties.SPECIALTIES[4:]
    wide = planted.axes_of([*map(specialties.slug, names), "mixed"]).model_copy(update={"specialty": names})
    matrix = pd.read_csv(folder / "tables/transfer_matrix.csv").query("recipe == 'completion'").iloc[[0]]
    table = latex.transfer_table(_repeated(matrix, wide), wide, "small", "completion", "cloze")
    head = r"\documentclass[twocolumn]{article}\usepackage[textwidth=7in]{geometry}"
    packages = table.splitlines()[0].removeprefix("% ")
    (tmp_path / "paper.tex").write_text(f"{head}{packages}\\begin{{document}}\n{table}\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Overfull" not in done.stdout, done.stdout


def _repeated(row: pd.DataFrame, axes) -> pd.DataFrame:
    """A transfer matrix with this row's numbers everywhere, and the base model's."""
    cells = [
        row.assign(train_set=train_set, test_specialty=test, recipe="base" if train_set == "base" else "completion")
        for train_set in ("base", *axes.train_set)
        for test in (*axes.specialties, "all")
    ]
    return pd.concat(cells, ignore_index=True)
