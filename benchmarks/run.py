"""Compare the package's speed with its peers' in one run: print a table, draw the book's figure, store the numbers.

The family of variants: exact ensembles and replicas have their own files here. One thread, float32, ratios above 1
where the package is faster. timm and keras are compared if they are installed (``pip install -e .[peers]``); if not,
the run says so, with the reason, and goes on. A case from a stream is also compared with the same call of ours from
torch's next numbers, the peer "plain". How times are taken is said in ``timing.py``, and there alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from cases import PLAIN, Case, cases
from matplotlib.figure import Figure
from timing import compare
from torch import Tensor

from dropout_lab import figures

FIGURES = Path(__file__).resolve().parent.parent / "chapters" / "figures"
PASSES = ("forward", "forward + backward")


def differentiated(call: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """``call`` and its gradient, as one step."""
    leaf = x.clone().requires_grad_()
    incoming = torch.ones_like(x)
    return lambda: torch.autograd.grad(call(leaf), leaf, incoming)


def rows_of(case: Case) -> list[dict[str, object]]:
    """The measurements of one case: a row for each size, pass and peer (one with no peer, if all are absent)."""
    rows: list[dict[str, object]] = []
    for shape in case.shapes:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        for name in PASSES:
            contenders = {"dropout_lab": case.ours, **case.peers}
            if name == "forward":
                calls = {who: partial(call, x) for who, call in contenders.items()}
            else:
                calls = {who: differentiated(call, x) for who, call in contenders.items()}
            timing = compare(calls)
            for peer in case.peers or (None,):
                rows.append(
                    {
                        "variant": case.variant,
                        "elements": x.numel(),
                        "pass": name,
                        "microseconds": round(timing.seconds["dropout_lab"] * 1e6, 1),
                        "peer": peer,
                        "peer_microseconds": round(timing.seconds[peer] * 1e6, 1) if peer else None,
                        "ratio": round(timing.ratios[peer], 2) if peer else None,
                    }
                )
                show(rows[-1])
    return rows


def show(row: dict[str, object]) -> None:
    size = f"2^{int(row['elements']).bit_length() - 1}"
    peer = f"{row['peer']:<6} {row['peer_microseconds']:>12,.1f} {row['ratio']:>8.2f}" if row["peer"] else "no peer"
    print(f"{row['variant']:<30} {size:>5}  {row['pass']:<19} {row['microseconds']:>12,.1f}  {peer}", flush=True)


def absence(name: str, reason: str) -> str:
    """The line of the table for a peer that could not be imported."""
    return f"{name} is not compared: {reason.rstrip('.')}. It comes with  pip install -e .[peers]"


def draw(rows: list[dict[str, object]], path: Path) -> None:
    """Each ratio as a point: one line a variant and peer, larger points for larger inputs, hollow with gradient."""
    compared = [row for row in rows if row["peer"]]
    lines = list(dict.fromkeys((row["variant"], row["peer"]) for row in compared))
    sizes = sorted({row["elements"] for row in compared})
    figures.style()
    figure = Figure(figsize=(6.4, 1.4 + 0.55 * len(lines)))
    axes = figure.subplots()
    axes.axvline(1, color=figures.MUTED, linewidth=1)
    for row in compared:
        place = sizes.index(row["elements"])
        plain = row["pass"] == "forward"
        color = figures.PALETTE[place % len(figures.PALETTE)]
        axes.plot(
            row["ratio"],
            lines.index((row["variant"], row["peer"])) + (-0.14 if plain else 0.14),
            marker=figures.MARKERS[place % len(figures.MARKERS)],
            markersize=7,
            linestyle="none",
            color=color,
            markerfacecolor=color if plain else figures.PAPER,
        )
    for place, size in enumerate(sizes):
        marker, color = figures.MARKERS[place % len(figures.MARKERS)], figures.PALETTE[place % len(figures.PALETTE)]
        label = f"$2^{{{size.bit_length() - 1}}}$"
        axes.plot([], [], marker=marker, color=color, linestyle="none", label=label)
    for fill, label in ((figures.INK, "forward"), (figures.PAPER, "+ backward")):
        axes.plot([], [], marker="o", color=figures.INK, markerfacecolor=fill, linestyle="none", label=label)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("how many times faster than the peer")
    axes.set_yticks(range(len(lines)), [f"{variant}\n({peer})" for variant, peer in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    figure.legend(loc="outside upper center", ncols=len(sizes) + 2, columnspacing=0.9, handletextpad=0.1)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    torch.set_num_threads(1)
    compared, absent = cases()
    for name, reason in absent.items():
        print(absence(name, reason))
    print(f"{'':<30} {'size':>5}  {'':<19} {'ours, µs':>12}  {'peer':<6} {'µs':>12} {'ratio':>8}")
    rows = [row for case in compared for row in rows_of(case)]
    FIGURES.mkdir(exist_ok=True)
    draw(rows, FIGURES / "benchmarks.svg")
    peers = sorted({str(row["peer"]) for row in rows if row["peer"] and row["peer"] != PLAIN})
    record = {"versions": {name: version(name) for name in peers}, "variants": rows}
    (FIGURES / "benchmarks.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {FIGURES / 'benchmarks.svg'} and benchmarks.json beside it")


if __name__ == "__main__":
    main()
