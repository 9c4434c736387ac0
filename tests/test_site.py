"""The documentation site: it builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from chiron.envs.walkers.walker_body import BODIES

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings")
pytestmark = pytest.mark.medium

HOME = Path(__file__).parent.parent
LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*", re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)],
        cwd=HOME,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = built.stdout + built.stderr
    # With --quiet, warnings are not printed and do not fail the strict build.
    assert (built.returncode, "WARNING" in output) == (0, False), output
    return folder


def test_the_pages_of_the_navigation_are_there_and_load_nothing_from_elsewhere(site: Path) -> None:
    pages = {str(path.relative_to(site)) for path in site.rglob("*.html")}
    in_navigation = set(re.findall(r"([\w/]+)\.md", (HOME / "mkdocs.yml").read_text()))
    named = {name.replace("README", "index") + ".html" for name in in_navigation}
    assert named <= pages
    loaded = {found for page in pages for found in LOADED.findall((site / page).read_text())}
    assert not loaded


def test_the_reference_has_what_the_code_has(site: Path) -> None:
    keys = (site / "reference" / "keys.html").read_text()
    for key in ("total_steps", "evaluation.every_steps", "env=stump_tracks", "sweeper=optuna"):
        assert f"<code>{key}</code>" in keys
    assert "Make a run from Python" in (site / "reference" / "api.html").read_text()


def test_the_gallery_shows_every_env_and_body(site: Path) -> None:
    gallery = (site / "gallery" / "index.html").read_text()
    choices = {path.stem for path in (HOME / "conf" / "env").glob("*.yaml")} - {"simulated"}
    for name in choices:
        assert f"<code>env={name}</code>" in gallery, "python -m benchmarks.env_pages writes it"
    for body in BODIES:
        assert f'src="images/body_{body}.png"' in gallery
    for picture in re.findall(r'src="(images/[^"]*)"', gallery):
        assert (site / "gallery" / picture).is_file()
