from __future__ import annotations

import threading

import pytest
from chiron.envs.walkers.engine.team import Team


def test_every_piece_is_done_once() -> None:
    team = Team(3)
    for pieces in ([], [7], list(range(100))):
        done: list[int] = []
        team.share(lambda thread, piece, done=done: done.append(piece), pieces)  # type: ignore[misc]
        assert sorted(done) == pieces
    team.close()


def test_helpers_join_in() -> None:
    team = Team(2)
    together = threading.Barrier(2, timeout=60)
    threads: list[int] = []

    def work(thread: int, piece: int) -> None:
        together.wait()
        threads.append(thread)

    team.share(work, [0, 1])
    assert sorted(threads) == [0, 1]
    team.close()


def test_nobody_waits_for_a_helper_that_has_not_begun() -> None:
    team = Team(2)
    assert team._helpers is not None
    over = threading.Event()
    team._helpers.submit(over.wait)
    threads: list[int] = []
    team.share(lambda thread, piece: threads.append(thread), [0, 1, 2])
    assert threads == [0, 0, 0]
    over.set()
    team.close()


@pytest.mark.parametrize("culprit", [0, 1])
def test_an_error_in_any_thread_is_raised(culprit: int) -> None:
    team = Team(2)
    together = threading.Barrier(2, timeout=60)

    def work(thread: int, piece: int) -> None:
        together.wait()
        if thread == culprit:
            raise ValueError(f"thread {thread}")

    with pytest.raises(ValueError, match=f"thread {culprit}"):
        team.share(work, [0, 1])
    team.close()
