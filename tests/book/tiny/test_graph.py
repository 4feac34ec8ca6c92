"""The layout of the map: arrows lead right, boxes lie apart, no edge runs through a box, nothing is left to chance."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from dropout_lab.book.graph import HEIGHT, WIDTH, Point, draw, layers


def random_graph(seed: int, size: int = 40) -> dict[str, list[str]]:
    """A graph without cycles: each node uses up to three earlier ones; some use and are used by none."""
    chance = random.Random(seed)
    nodes = [f"n{k}" for k in range(size)]
    return {node: chance.sample(nodes[:k], min(k, chance.choice([0, 0, 1, 2, 3]))) for k, node in enumerate(nodes)}


def test_layers_are_longest_paths():
    assert layers({"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a"]}) == {"a": 0, "b": 1, "c": 2, "d": 1}


def test_an_empty_graph_and_a_lonely_node():
    assert draw({}).boxes == {}
    alone = draw({"a": []})
    assert alone.boxes == {"a": Point(0, HEIGHT / 2)}
    assert (alone.width, alone.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("seed", range(5))
def test_edges_lead_right_and_boxes_lie_apart(seed):
    uses = random_graph(seed)
    drawing = draw(uses)
    assert set(drawing.boxes) == set(uses)
    assert {(used, node) for used, node, _ in drawing.edges} == {(used, node) for node in uses for used in uses[node]}
    for used, node, path in drawing.edges:
        assert path[0] == Point(drawing.boxes[used].x + WIDTH, drawing.boxes[used].y)
        assert path[-1] == drawing.boxes[node]
        assert all(one.x < other.x for one, other in pairwise(path))
    places = list(drawing.boxes.values())
    for k, one in enumerate(places):
        assert 0 <= one.x <= drawing.width - WIDTH
        assert one.y + 1e-9 >= HEIGHT / 2 and one.y + HEIGHT / 2 <= drawing.height + 1e-9
        assert all(abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT for other in places[:k])


@pytest.mark.parametrize("seed", range(5))
def test_no_edge_runs_through_a_box(seed):
    drawing = draw(random_graph(seed))
    for _, _, path in drawing.edges:
        for one, other in pairwise(path):
            if one.y == other.y and other.x - one.x == WIDTH:
                crossed = [box for box in drawing.boxes.values() if box.x == one.x and abs(box.y - one.y) < HEIGHT / 2]
                assert not crossed


def test_the_same_graph_is_drawn_the_same_way():
    assert draw(random_graph(7)) == draw(random_graph(7))
