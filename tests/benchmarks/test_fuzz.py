"""Two hundred faulty command lines of the fuzzer."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from chiron.scripts.refusal import BAD_INPUT

from benchmarks.fuzz import names, sentences_in
from benchmarks.fuzz_lines import COMMANDS, every_line, names_in
from tests.commands import run_here
from tests.listing import composed

LINES = (Path(__file__).parent / "wrong_command_lines.txt").read_text().splitlines()
BLOCKS = 10


@pytest.mark.medium
@pytest.mark.parametrize(
    "block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, BLOCKS))]
)
def test_is_refused_in_one_sentence_that_names_the_key_with_nothing_written(
    tmp_path: Path, block: int
) -> None:
    for line in LINES[block::BLOCKS]:
        key, command, *arguments = shlex.split(line)
        ended = run_here(tmp_path, command, *arguments)
        assert ended.returncode == BAD_INPUT, (line, ended)
        sentences = sentences_in(ended.stderr)
        assert len(sentences) == 1, (line, ended.stderr)
        assert sentences[0].startswith(f"{command}: "), line
        assert key == "-" or names(sentences[0], key), (line, ended.stderr)
        assert "HYDRA_FULL_ERROR" not in ended.stderr
        assert list(tmp_path.iterdir()) == [], line


def test_the_lines_are_two_hundred_of_all_commands_and_groups() -> None:
    assert len(LINES) == len(set(LINES)) >= 200
    assert {shlex.split(line)[1] for line in LINES} == {f"chiron-{command}" for command in COMMANDS}
    keys = {shlex.split(line)[0].partition(".")[0] for line in LINES}
    assert {"env", "teacher", "student", "evaluation", "callbacks", "seed", "n_envs"} <= keys


@pytest.mark.parametrize(
    ("sentence", "key", "is_named"),
    [
        ("teacher=riac: window='x' must be a whole number", "teacher.window", True),
        ("teacher=riac: '<=' not supported between instances of 'int' and 'str'", "teacher.window", False),
        (
            "env=cart_pole: pole_mass: bounds [3, 1] must have low < high",
            "env.parameters.pole_mass.value",
            True,
        ),
        ("env=1 must be one of acrobot", "env", True),
        ("env.body=1 must be a text", "body", False),
    ],
)
def test_when_a_key_is_named(sentence: str, key: str, is_named: bool) -> None:
    assert names(sentence, key) == is_named


def test_every_choice_of_every_group_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    # The keys of a choice do not matter here, and composing each is slow.
    anything = composed("env=cart_pole")
    monkeypatch.setattr("benchmarks.fuzz_lines.composed", lambda *overrides: anything)
    arguments = {argument for line in every_line() for argument in line.arguments}
    for group in ("env", "teacher", "student"):
        assert {f"{group}={name}" for name in names_in(group)} <= arguments
