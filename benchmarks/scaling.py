"""How time and memory grow with the work: scoring, training, jobs of several adapters, and the statistics.

    snakemake --configfile demo.yaml --cores 1 resources/models/smollm2-135m/model.json
    PYTHONPATH=workflow/scripts:tests/unit python benchmarks/scaling.py [--parts scoring training ...]

On the demo's model, one thread, invented questions. Prints a table in Markdown for each part, and draws
docs/scaling.svg if no part was left out. CPU seconds (user and system): wall clock says less on a machine that others
use too. Each measure of a model has processes of its own, of which the one of median time counts; its memory is what
it held at the peak beyond what it held before the work, or, for whole jobs, in all.
"""

import argparse
from collections.abc import Callable, Iterator
import json
import multiprocessing
from pathlib import Path
import resource
import tempfile
from typing import Any, NamedTuple

import scaling_jobs
import scaling_models
from scaling_models import Base
import torch

CHECKOUT = Path(__file__).parents[1]
MACHINE_RATE = (1024, 576, 1536)
"""Rows, inputs and outputs of the matrix product by which a machine's own rate is measured, as in the model."""
ROUNDS = 3
"""Processes a measure of a model; odd."""
SAME_WORK = ("batch tokens", "training micro-batch")
"""Curves along which the work does not grow."""


class Point(NamedTuple):
    """A measure: where it is on its curve, and the cells of its row behind the label."""

    curve: str
    label: str
    x: float
    seconds: float
    megabytes: float
    cells: tuple[str, ...]


COLUMNS = {
    "scoring": ("tokens a question", "CPU s a question", "ms a token", "share of the rate", "MB added"),
    "vocabulary": ("tokens read", "CPU s a question", "MB added"),
    "training": ("tokens a question", "CPU s a question", "ms a token", "share of the rate", "MB added"),
    "adapters": ("CPU s a job", "CPU s an adapter", "GB at the peak"),
    "statistics": ("rows, thousands", *(f"{name}: CPU s, GB" for name in ("transfer_matrix", "term_shift", "verdict"))),
}


def main() -> None:
    """Measure part by part, print a table for each, and draw them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--layers", type=int, default=30, help="how many of the model's layers to keep")
    parser.add_argument("--load", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--kept", type=Path, default=CHECKOUT / "results/scaling.json", help="what was measured before")
    parser.add_argument("--figure", type=Path, default=CHECKOUT / "docs/scaling.svg")
    args = parser.parse_args()
    kept = json.loads(args.kept.read_text(encoding="utf-8")) if args.kept.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        base = Base.shortened(args.layers, args.load, Path(scratch) / "files")
        for part in args.parts:
            print(f"\n| {part} | {' | '.join(COLUMNS[part])} |\n{'|---' * (1 + len(COLUMNS[part]))}|")
            kept[part] = []
            for point in _PARTS[part](base):
                print(f"| {point.curve} {point.label} | {' | '.join(point.cells)} |", flush=True)
                kept[part].append(point)
                args.kept.write_text(json.dumps(kept), encoding="utf-8")
    if kept.keys() == COLUMNS.keys():
        _figure([Point(*point) for part in COLUMNS for point in kept[part]], args.figure)


def _of_models(base: Base, cases: list[scaling_models.Case]) -> Iterator[Point]:
    for case in cases:
        rounds = sorted((_apart(case, base) for _ in range(ROUNDS)), key=lambda found: found["seconds"])
        found = rounds[ROUNDS // 2]
        n, tokens, seconds, added = case.n, found["tokens"], found["seconds"], found["added"] / 1e6
        share = found["needed"] / found["rate"] / seconds
        cells: tuple[str, ...] = (f"{seconds / n:.3f}", f"{added:.0f}")
        if case.vocabulary:
            cells = (f"{found['read']}", *cells)
        else:
            more = (f"{seconds / tokens * 1e3:.2f}", f"{share:.0%}")
            cells = (f"{tokens / n:.0f}", cells[0], *more, cells[1])
        yield Point(case.curve, case.label, case.x, seconds, found["peak"] / 1e6, cells)


def _of_adapters(base: Base) -> Iterator[Point]:
    for n, (seconds, peak) in scaling_jobs.adapters(base):
        cells = (f"{seconds:.1f}", f"{seconds / n:.1f}", f"{peak / 1e9:.2f}")
        yield Point("adapters", f"{n}", n, seconds, peak / 1e6, cells)


def _of_statistics(_: Base) -> Iterator[Point]:
    for curve, x, rows, took in scaling_jobs.statistics():
        cells = tuple(f"{seconds:.1f}, {peak / 1e9:.2f}" for seconds, peak in took.values())
        seconds, peak = sum(s for s, _ in took.values()), max(p for _, p in took.values())
        yield Point(curve, f"{x}", x, seconds, peak / 1e6, (f"{rows / 1e3:.0f}", *cells))


_PARTS: dict[str, Callable[[Base], Iterator[Point]]] = {
    "scoring": lambda base: _of_models(base, scaling_models.SCORING),
    "vocabulary": lambda base: _of_models(base, scaling_models.VOCABULARY),
    "training": lambda base: _of_models(base, scaling_models.TRAINING),
    "adapters": _of_adapters,
    "statistics": _of_statistics,
}


def _apart(case: scaling_models.Case, base: Base) -> dict[str, float]:
    """What a case took, in a process of its own that starts with the model loaded."""
    scaling_models.loaded(base)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_measure, args=(case, base, theirs))
    child.start()
    theirs.close()
    found: dict[str, float] = ours.recv()
    child.join()
    return found


def _measure(case: scaling_models.Case, base: Base, answer: Any) -> None:
    work = scaling_models.prepare(case, base)
    rate = _rate(getattr(torch, base.load))
    before = _held("VmRSS")
    # From here on the kernel counts the peak anew.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    seconds = _seconds(work.run)
    peak = _held("VmHWM")
    answer.send(
        {
            "tokens": work.tokens,
            "read": work.read,
            "needed": work.flop,
            "rate": rate,
            "seconds": seconds,
            "peak": peak,
            "added": max(peak - before, 0),
        }
    )


def _rate(dtype: torch.dtype) -> float:
    """FLOP a second of a product of the model's size, here and now."""
    n, inputs, outputs = MACHINE_RATE
    a, b = torch.randn(n, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
    seconds = min(_seconds(lambda: [torch.nn.functional.linear(a, b) for _ in range(5)]) for _ in range(5))
    return 5 * 2 * n * inputs * outputs / seconds


def _seconds(work: Callable[[], Any]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _held(what: str) -> int:
    """Bytes of this process's memory, now (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))


def _figure(points: list[Point], path: Path) -> None:
    """A panel a curve: seconds and peak memory against the work, both as multiples of the curve's first point."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scaling"
    from matplotlib import pyplot

    by_curve: dict[str, list[Point]] = {}
    for point in points:
        by_curve.setdefault(point.curve, []).append(point)
    curves = {name: sorted(held, key=lambda p: p.x) for name, held in by_curve.items() if len(held) > 2}
    rows = -(-len(curves) // 4)
    figure, axes = pyplot.subplots(rows, 4, figsize=(10, 2.3 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, held) in zip(axes.flat, curves.items(), strict=False):
        ax.set_axis_on()
        x = [p.x for p in held]
        if name in SAME_WORK:
            ax.set_ylim(0.45, 2.2)
        else:
            ax.plot(x, [v / x[0] for v in x], ":", color="grey", label="in proportion")
        ax.plot(x, [p.seconds / held[0].seconds for p in held], "o-", color="#4477aa", label="CPU time")
        ax.plot(
            x, [p.megabytes / held[0].megabytes for p in held], "s--", color="#cc3311", label="memory of the process"
        )
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        ax.set_xticks(x, [f"{v:g}" if v < 1e4 else f"{v / 1e3:.0f}k" for v in x])
        ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        ax.tick_params(labelsize=7)
        ax.set_title(name.rstrip(","), fontsize=8)
    axes.flat[0].legend(frameon=False, fontsize=7)
    figure.supylabel("multiples of the first point", fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
