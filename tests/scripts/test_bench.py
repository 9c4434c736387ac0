from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import bench
from tests.listing import names_in


def test_every_teacher_is_measured_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_SHORT", 300)
    monkeypatch.setattr(bench, "_EARLY", (100, 300))
    bench.main(["teachers", "--episodes", "1000", "--out", str(tmp_path / "bench.json")])
    written = json.loads((tmp_path / "bench.json").read_text())
    assert {"processor", "python", "numpy", "load"} <= set(written["machine"])
    printed = capsys.readouterr().out
    rows = {row["teacher"]: row for row in written["teachers"]}
    assert sorted(rows) == [name for name in names_in("teacher") if not name.endswith("_benchmark")]
    for name, row in rows.items():
        assert set(row["microseconds"]) == {"2", "6", "12", "20"}
        assert all(value > 0 for value in row["microseconds"].values())
        assert row["early_microseconds"] > 0
        assert row["late_microseconds"] > 0
        assert 0 < sum(row["shares"].values()) < 1
        assert name in printed
    assert set(rows["alp_gmm"]["shares"]) == {"propose", "fit", "nearest task"}


def test_a_run_that_is_too_short_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["teachers", "--episodes", "10"])
    assert "--episodes=10 must be at least 20000" in capsys.readouterr().err
