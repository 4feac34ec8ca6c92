"""The file of what chapters cost: it can be read again, and one that cannot is as good as none."""

from __future__ import annotations

import pytest

from dropout_lab.book.costs import Cost, costs_text, read_costs


def test_the_file_can_be_read_again(tmp_path):
    path = tmp_path / "costs.json"
    assert read_costs(path) == {}
    known = {"a": Cost(1.0, 300), "b": Cost(2.5)}
    path.write_text(costs_text(known), encoding="utf-8")
    assert read_costs(path) == known


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1.5}', '{"a": {"seconds": 1', '{"a": {"seconds": "long"}}', "\0"])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path, text):
    path = tmp_path / "costs.json"
    path.write_text(text, encoding="utf-8")
    assert read_costs(path) == {}
