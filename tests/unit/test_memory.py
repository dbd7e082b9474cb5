"""Freed memory is used again: the system hands out no new pages for it."""

import os
from pathlib import Path
import platform
import subprocess
import sys

import pytest

from neuro2cardio.core import memory

SCRIPTS = Path(memory.__file__).parents[2]
ROUNDS, PAGES = 20, 16384
CODE = f"""
import ctypes, resource
# No large pages (PR_SET_THP_DISABLE), of which a system may hand out few where it would hand out many small ones.
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
{{first}}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for done in range({ROUNDS}):
    if done == 1:
        before = faults()
    # 64 MB, written: glibc itself learns to keep 32.
    made = [b"x" * ({PAGES // 4} * 4096) for _ in range(4)]
    del made
print(faults() - before)
"""


def faults_of(first: str) -> int:
    """Pages that a process is given while it makes and frees 64 MB again and again."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    plain["PYTHONPATH"] = str(SCRIPTS)
    command = [sys.executable, "-c", CODE.format(first=first)]
    done = subprocess.run(command, env=plain, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_freed_memory_is_not_handed_back_and_asked_for_again():
    kept = "from neuro2cardio.core import memory; assert memory.keep_freed()"
    assert faults_of(kept) < PAGES
    assert faults_of("") > (ROUNDS - 2) * PAGES // 2


def test_what_a_user_set_for_pytorch_stays(monkeypatch):
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert not memory.keep_freed()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "0"


def test_a_c_library_that_takes_small_thresholds_alone_is_asked_again(monkeypatch):
    class Old:
        """glibc before it took more than 32 MB."""

        asked: list[tuple[int, int]] = []

        def mallopt(self, option: int, value: int) -> int:
            self.asked.append((option, value))
            return int(option != -3 or value <= 2**25)

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: Old())
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "1")
    assert memory.keep_freed()
    assert Old.asked == [(-3, 2**28), (-3, 2**25), (-1, 2**31 - 1)]
