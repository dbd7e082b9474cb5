"""Importing large libraries without garbage collection leaves the collector as it was for what comes after."""

import gc

import pytest

from neuro2cardio.core.imports import without_collector


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()


def test_the_collector_is_off_meanwhile_and_then_leaves_alone_what_was_made():
    with without_collector():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled() and gc.get_freeze_count() >= len(made)


def test_an_import_that_fails_leaves_the_collector_on():
    with pytest.raises(ImportError), without_collector():
        raise ImportError("no such library")
    assert gc.isenabled()
