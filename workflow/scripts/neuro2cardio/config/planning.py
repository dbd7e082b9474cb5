"""Assumptions of `snakemake plan`."""

from typing import Annotated

from pydantic import Field

from .sections import Section


class Planning(Section):
    """Speed of devices that `snakemake plan` assumes until a run has measured it."""

    gpu_tflops: Annotated[float, Field(gt=0)] = 100
    """TFLOP/s of one GPU in this work: about a third of an A100's data sheet (312 in bfloat16)."""
    cpu_tflops: Annotated[float, Field(gt=0)] = 0.2
    """TFLOP/s of one thread of a job without GPU: measured with one thread on cores that compute in bfloat16."""
