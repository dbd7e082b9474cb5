"""What PyTorch raises where a memory is full."""

import pytest
import torch

each_full_memory = pytest.mark.parametrize(
    "full",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        MemoryError("std::bad_alloc"),
    ],
    ids=["gpu", "machine", "bad_alloc"],
)
