"""The list of licences is that of the lock, and no package that the library imports binds its users to the GPL."""

import runpy

from tiny_grid import CHECKOUT

LICENCES = runpy.run_path(str(CHECKOUT / "workflow/scripts/licences.py"))


def listed() -> dict[str, str]:
    lines = (CHECKOUT / "docs/licences.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return dict(rows[1:])


def test_every_locked_package_is_listed_and_no_other():
    names = LICENCES["packages"](*LICENCES["LOCKS"])
    assert list(listed()) == names, "run make licences"


def test_no_package_is_under_the_gpl_alone():
    bound = {name for name, licence in listed().items() if "GPL" in licence and "LGPL" not in licence}
    # docutils: public domain and BSD; one tool is GPL. codespell: a command of `make check`, never imported.
    assert bound <= {"docutils", "codespell"}
