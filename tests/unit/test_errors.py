"""How a command ends: with one sentence, where its user can do something about it."""

import errno

import pytest
import torch

from neuro2cardio.core import errors


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (errors.InputError("no such file"), "error: no such file"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"),
            "error: the GPU's memory is full (CUDA out of memory. Tried to allocate 2.00 GiB.); lower",
        ),
        (
            RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be ..."),
            "error: the GPU failed (CUDA error: device-side assert triggered); the same command goes on",
        ),
        (RuntimeError("CUDA error: an uncorrectable ECC error was encountered"), "leave that GPU out"),
        (MemoryError(), "error: the machine's memory is full (MemoryError); give the job more"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."),
            "error: the machine's memory is full (DefaultCPUAllocator: can't",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "results/x"),
            "the disk is full (results/x); free some space",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk quota is used up; free some space"),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/x']"),
            "set TMPDIR to one with free",
        ),
    ],
)
def test_what_its_user_can_fix_ends_a_command_with_a_sentence(raised, said):
    def fail() -> None:
        raise raised

    with pytest.raises(SystemExit) as ended:
        errors.run(fail)
    assert said in str(ended.value)


def test_ctrl_c_ends_a_command_with_a_sentence(capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        errors.run(interrupted)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on from here\n"


def test_an_error_of_the_program_keeps_its_traceback():
    def broken() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        errors.run(broken)
