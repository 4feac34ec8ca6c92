"""A claims file with one claim, for tests that send a chain through ``claims.derive``."""

import pytest

CLAIMS_FILE = """
assumptions: []
claims:
  - {id: "1", section: "1 A", title: a sum, kind: Th, statement: The two sides are equal., expected: "true",
     quantifier: always, reason: R., readings: [As it stands.]}
"""


@pytest.fixture(autouse=True)
def claims_file(tmp_path, monkeypatch):
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS_FILE)
    monkeypatch.setenv("DROPOUT_LAB_CLAIMS", str(path))
