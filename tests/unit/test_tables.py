"""The tables that people open in spreadsheets."""

import numpy as np
import pandas as pd
import pytest

from neuro2cardio.core import tables


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+cmd", "'+1+cmd"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\n=1"),
        ("\uff1dcmd", "'\uff1dcmd"),
        ("- a list item", "'- a list item"),
        ("-1.5", "-1.5"),
        ("+3e-2", "+3e-2"),
        ("-inf", "-inf"),
        ("a = b", "a = b"),
        ("", ""),
    ],
)
def test_text_that_a_spreadsheet_would_run_is_written_as_text(tmp_path, cell, written):
    tables.write_csv(pd.DataFrame({"stem": [cell, "plain"]}), tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.csv", keep_default_na=False, dtype=str)["stem"].tolist() == [written, "plain"]


def test_numbers_and_missing_cells_are_written_as_they_are(tmp_path):
    frame = pd.DataFrame({"a": [-1.5, np.nan], "b": [-3, 4], "c": [None, "x"], "d": [True, False], "e": [[], ["-1"]]})
    tables.write_csv(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b,c,d,e\n-1.5,-3,,True,[]\n,4,x,False,['-1']\n"
