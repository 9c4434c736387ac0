"""What can be said about a name before its module is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chiron.envs.importing import import_named, require_defined

MODULES = {
    "plain_lib/__init__.py": "from plain_lib.inner import Algorithm as Here\n",
    "plain_lib/inner.py": "class Algorithm:\n    Nested = int\n",
    "star_lib/__init__.py": "from plain_lib.inner import *\n",
    "lazy_lib/__init__.py": "def __getattr__(name):\n    return int\n",
    "made_lib/__init__.py": "globals()['Alg' + 'orithm'] = int\n",
    "found_elsewhere_lib/__init__.py": "__path__.append(__path__[0].replace('found_elsewhere', 'plain'))\n",
}


@pytest.fixture(autouse=True)
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that have not been imported."""
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())


@pytest.mark.parametrize(
    "path",
    [
        *("plain_lib.Here", "plain_lib.inner.Algorithm", "plain_lib:Here"),
        *("plain_lib.inner:Algorithm.Nested", "json.JSONDecoder", "builtins.int"),
        *("star_lib.Algorithm", "lazy_lib.Algorithm", "made_lib.Algorithm"),
        "found_elsewhere_lib.inner.Algorithm",
    ],
)
def test_what_can_be_imported_is_not_refused(path: str) -> None:
    before = set(sys.modules)
    require_defined(path)
    assert set(sys.modules) == before
    assert isinstance(import_named(path), type)


@pytest.mark.parametrize(
    "path",
    ["no_lib.PPO", "plain_lib.Nope", "plain_lib.inner:Nope", "plain_lib.inner.Nope", "plain_lib:Her"],
)
def test_what_is_refused_cannot_be_imported_and_both_say_the_same(path: str) -> None:
    before = set(sys.modules)
    with pytest.raises(ValueError, match="cannot be imported") as refused:
        require_defined(path)
    assert set(sys.modules) == before
    with pytest.raises(ValueError, match="cannot be imported") as failed:
        import_named(path)
    assert str(refused.value) == str(failed.value)
