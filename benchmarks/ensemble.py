"""How much faster the exact ensembles are than forward passes, and than sampling: ratios measured in one run.

``python benchmarks/ensemble.py`` prints the table. Both sides of a ratio alternate on one thread, and each time is a
median. The last line, a thousand million masks, is a process of its own, whose memory can be told.
"""

from __future__ import annotations

import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dropout_lab import ensemble, nn

CLASSES = 10


class Row(NamedTuple):
    """One comparison: median seconds of ours and of the reference, and what else was seen."""

    what: str
    ours: float
    reference: float
    note: str

    @property
    def ratio(self) -> float:
        """How many times as fast as the reference ours is."""
        return self.reference / self.ours


def _alternating(ours: Callable[[], object], reference: Callable[[], object], repeats: int) -> tuple[float, float]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, taken in zip((ours, reference), seconds, strict=True):
            # Once before the clock runs: each meets the caches as it leaves them, and not as the other does.
            call()
            begun = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begun)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _layer(n: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    return tuple(
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((n,), (classes, n), (classes,))
    )


def factorized(n: int = 20, repeats: int = 5) -> Row:
    """All masks of one layer before a softmax, against forward passes in batches of masks that lie ready."""
    hidden, weight, bias = _layer(n, CLASSES)
    table, probabilities = ensemble.masks(n)
    batches = [(rows * 2, chances) for rows, chances in zip(table.split(4096), probabilities.split(4096), strict=True)]
    del table

    def forward_passes() -> Tensor:
        return sum(chances @ torch.softmax((rows * hidden) @ weight.T + bias, dim=1) for rows, chances in batches)

    def ours() -> Tensor:
        return ensemble.softmax_mean(hidden, weight, bias)

    difference = float((ours() - forward_passes()).abs().max())
    note = f"float64, {CLASSES} classes; largest difference {difference:.1e}"
    return Row(
        f"softmax_mean, 2^{n} masks, against batched forward passes", *_alternating(ours, forward_passes, repeats), note
    )


def integral(n: int = 20, repeats: int = 5) -> Row:
    """A binary output: the integral against enumeration with :func:`exact_mean`."""
    hidden, weight, bias = _layer(n, 1)

    def enumerated() -> Tensor:
        return ensemble.exact_mean(lambda rows: (rows * 2 * hidden) @ weight[0] + bias, n, output="sigmoid")

    def ours() -> ensemble.BinaryMean:
        return ensemble.sigmoid_mean(hidden, weight, bias)

    value, bound = ours()
    note = f"difference {abs(float(value - enumerated())):.1e}, bound {float(bound):.1e}"
    return Row(f"sigmoid_mean, 2^{n} masks, against enumeration", *_alternating(ours, enumerated, repeats), note)


def thousand(n: int = 1000, repeats: int = 5) -> Row:
    """A binary output of a thousand units, against ten thousand members drawn at random."""
    hidden, weight, bias = _layer(n, 1)
    generator = torch.Generator().manual_seed(0)

    def drawn() -> Tensor:
        kept = (torch.rand(10_000, n, generator=generator) < 0.5).double()
        return torch.sigmoid((kept * 2) @ (hidden * weight[0]) + bias)

    def ours() -> ensemble.BinaryMean:
        return ensemble.sigmoid_mean(hidden, weight, bias)

    error = float(drawn().std()) / 100
    note = f"error at most {float(ours().bound):.1e}; standard error of the sample {error:.1e}"
    return Row(f"sigmoid_mean, 2^{n} masks, against 10 000 samples", *_alternating(ours, drawn, repeats), note)


def model(repeats: int = 3) -> Row:
    """Any model: all masks of two layers, against one forward pass for each mask."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(8, 8),
        torch.nn.ReLU(),
        nn.Dropout(0.5),
        torch.nn.Linear(8, 4),
        torch.nn.ReLU(),
        nn.Dropout(0.5),
        torch.nn.Linear(4, CLASSES),
    ).double()
    x = torch.randn(16, 8, dtype=torch.float64)

    def ours() -> Tensor:
        return ensemble.exact_mean(network, x)

    def one_by_one() -> Tensor:
        return ensemble.exact_mean(network, x, chunk=1)

    return Row(
        "exact_mean(model), 2^12 masks of two layers, 16 examples, against one by one",
        *_alternating(ours, one_by_one, repeats),
        f"difference {float((ours() - one_by_one()).abs().max()):.1e}",
    )


def huge(n: int = 30) -> str:
    """2^n masks in a process of its own: seconds and the most memory it ever held."""
    command = [sys.executable, __file__, "--huge", str(n)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _huge(n: int) -> str:
    hidden, weight, bias = _layer(n, CLASSES)
    begun = time.perf_counter()
    mean = ensemble.softmax_mean(hidden, weight, bias)
    seconds = time.perf_counter() - begun
    return (
        f"softmax_mean, 2^{n} masks: {seconds:.1f} s, peak memory "
        f"{_peak_kib() / 1024:.0f} MiB with all of torch; sum − 1 = {float(mean.sum() - 1):.1e}"
    )


def _peak_kib() -> int:
    """The most memory that this process ever held, in KiB."""
    # Linux counts in getrusage what the parent held when it started this process; the line VmHWM does not.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def rows() -> list[Row]:
    """The table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [factorized(), integral(), thousand(), model()]
    finally:
        torch.set_num_threads(threads)


def main() -> None:
    if sys.argv[1:2] == ["--huge"]:
        print(_huge(int(sys.argv[2])))
        return
    for row in rows():
        print(
            f"{row.what}: {row.ours * 1e3:.2f} ms against {row.reference * 1e3:.1f} ms, {row.ratio:.1f} times; "
            f"{row.note}"
        )
    print(huge())


if __name__ == "__main__":
    main()
