"""What rests on what, as the map shows it: claims on claims as the claims file says, on assumptions as the proofs do.

A chain of derivation carries the assumptions of all its lines, so what a derived claim needs is known in full: it does
not inherit the conditions of claims that it builds on and that no line of it uses. A claim without a derivation needs
the assumptions that it names, and those of the claims that it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dropout_lab.book.ledger import Ledger


def needs(ledger: Ledger) -> dict[str, tuple[str, ...]]:
    """The assumptions that each claim needs, in the order of the claims file."""
    registry, found = ledger.registry, dict[str, set[str]]()

    def needed(name: str) -> set[str]:
        if name not in found:
            entry = ledger.entries[name]
            if entry.derivations:
                found[name] = set(entry.under)
            else:
                used = [needed(other) for other in entry.claim.uses if other in registry]
                found[name] = set(registry.assumptions_of(name)).union(*used)
        return found[name]

    return {name: tuple(one for one in registry.assumptions if one in needed(name)) for name in registry}


def closure(name: str, following: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """All that follows from a node, step by step, without the node itself; in the order of the mapping.

    Example
    -------
    >>> closure("a", {"a": ["c"], "b": [], "c": ["b"]})
    ('b', 'c')
    """
    found: set[str] = set()
    queue = [*following.get(name, ())]
    while queue:
        if (step := queue.pop()) not in found:
            found.add(step)
            queue.extend(following.get(step, ()))
    return tuple(node for node in following if node in found)


def turned(following: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The same arrows the other way round.

    Example
    -------
    >>> turned({"a": ["c"], "c": []})
    {'a': [], 'c': ['a']}
    """
    return {node: [other for other, steps in following.items() if node in steps] for node in following}


def layers(uses: Mapping[str, Sequence[str]], names: Iterable[str]) -> list[list[str]]:
    """Some nodes by layers, each in a later one than all that it uses of them. No cycles.

    Example
    -------
    >>> layers({"a": [], "b": ["a"], "c": ["a", "b"], "d": ["b"]}, ["a", "b", "c"])
    [['a'], ['b'], ['c']]
    """
    shown, found = list(names), dict[str, int]()

    def layer(node: str) -> int:
        if node not in found:
            found[node] = 1 + max((layer(used) for used in uses[node] if used in shown), default=-1)
        return found[node]

    rows: list[list[str]] = [[] for _ in range(1 + max(map(layer, shown), default=-1))]
    for node in shown:
        rows[layer(node)].append(node)
    return rows
