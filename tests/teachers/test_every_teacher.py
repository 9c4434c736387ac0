from __future__ import annotations

import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.runs.state_file import load_state, save_state
from chiron.teachers import Curriculum, Proposal, Teacher

from tests.listing import build_teacher, names_in
from tests.teachers.spaces import bumpy, cube, judged, played, run

TEACHERS = names_in("teacher")
STOPS = (0, 70, 249, 250, 740)
"""Before the first fit, just before and after one, and in the middle of a later window."""

# From a preset for walkers, whose returns are far above those in [0, 1] here.
pytestmark = pytest.mark.filterwarnings("ignore:high_threshold=180 was reached by none")

every_teacher = pytest.mark.parametrize("name", TEACHERS)


@pytest.fixture
def no_variation() -> Iterator[None]:
    """Allow the warning about failed fits, which only some teachers give."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*could not fit Gaussians")
        yield


def assert_sound(teacher: Teacher, tasks: Any) -> None:
    assert tasks.dtype == np.float32
    assert (tasks >= teacher.space.low).all()
    assert (tasks <= teacher.space.high).all()
    for metric, value in teacher.metrics().items():
        assert np.isfinite(value), metric


class TestProposals:
    @every_teacher
    @pytest.mark.parametrize(
        "space",
        [
            cube(1),
            cube(2, -1e-3, 1e-3),
            cube(3, -5000, 70000),
            TaskSpace([TaskParameter("height", 0, 3), TaskParameter("gap", -2, 6, size=2, easy="high")]),
        ],
        ids=["1-D", "tiny", "huge", "grouped"],
    )
    def test_lie_in_the_space_and_are_float32(self, name: str, space: TaskSpace) -> None:
        teacher = build_teacher(name, space=space, seed=0)
        for _ in range(600):
            proposal = teacher.sample()
            assert proposal.task.dtype == np.float32
            assert space.contains(proposal.task)
            assert proposal.source
            teacher.observe(played(proposal, bumpy(space.normalize(proposal.task).astype(np.float32))))
        assert_sound(teacher, np.zeros((0, space.dim), dtype=np.float32))

    @every_teacher
    def test_work_in_twenty_dimensions(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(20), seed=0)
        assert_sound(teacher, run(teacher, 600))

    @every_teacher
    def test_are_not_views_of_the_teachers_memory(self, name: str) -> None:
        one, other = (build_teacher(name, space=cube(2), seed=3) for _ in range(2))
        for _ in range(600):
            proposal, same = one.sample(), other.sample()
            assert proposal.task.tolist() == same.task.tolist()
            one.observe(played(proposal, bumpy(proposal.task)))
            other.observe(played(same, bumpy(same.task)))
            proposal.task[:] = np.nan


class TestIntegers:
    @every_teacher
    def test_are_numbers_like_others_to_a_teacher(self, name: str) -> None:
        """It proposes and learns as in a box of floats whose returns are constant around whole numbers."""
        integers = TaskSpace([TaskParameter("skip", 2, 5, integer=True), TaskParameter("speed", 0, 1)])
        floats = TaskSpace([TaskParameter("skip", 1.5, 5.5, default=4), TaskParameter("speed", 0, 1)])
        proposed = []
        for space in (integers, floats):
            curriculum = Curriculum(build_teacher(name, space=space, seed=0), EnvInfo(space, (0, 1), 0.7))
            episodes = []
            for step in range(600):
                episode = curriculum.next_task(0)
                assert episode.task.tolist() == space.rounded(episode.proposal).tolist()
                episode_return = bumpy(integers.normalize(integers.rounded(episode.task)).astype(np.float32))
                success = episode_return > 0.7
                curriculum.finish(0, episode_return=episode_return, length=1, step=step, success=success)
                if "critic" in curriculum.teacher.needs:
                    curriculum.rate(0, judged(episode_return))
                episodes.append(episode)
            proposed.append([episode.proposal.tolist() for episode in episodes])
        assert proposed[0] == proposed[1]


class TestAskingAndTelling:
    """Without a curriculum and without an env."""

    @every_teacher
    def test_many_at_once_are_told_in_any_order(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        order = np.random.default_rng(1)
        for _ in range(10):
            proposals = teacher.sample(100)
            assert len(proposals) == 100
            assert_sound(teacher, proposals.tasks)
            for i in order.permutation(100)[:90]:
                assert proposals[i].task.tolist() == proposals.tasks[i].tolist()
                score = bumpy(proposals[i].task)
                known = {"success": score > 0.75, "mastered_score": 0.75, "critic": judged(score)}
                teacher.tell(proposals[i], score, **known)

    @every_teacher
    def test_one_alone_is_the_first_of_one(self, name: str) -> None:
        one, other = (build_teacher(name, space=cube(2), seed=3) for _ in range(2))
        for teacher in (one, other):
            run(teacher, 600)
        for _ in range(50):
            alone, (first,) = one.sample(), other.sample(1)
            assert (alone.task.tolist(), alone.source) == (first.task.tolist(), first.source)
            assert alone.ticket == first.ticket

    @every_teacher
    def test_what_cannot_be_learned_from_is_refused(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        with pytest.raises(ValueError, match="score=nan must be finite"):
            teacher.tell(teacher.sample(), float("nan"))
        with pytest.raises(ValueError, match="n=0 must be at least 1"):
            teacher.sample(0)


class TestRandomness:
    @every_teacher
    def test_seeds_differ_and_zero_is_one_of_them(self, name: str) -> None:
        teachers = [build_teacher(name, space=cube(2), seed=seed) for seed in (0, 1, None, None)]
        # The sources are compared, too, because some teachers always begin with the same task.
        sequences = set()
        for teacher in teachers:
            proposals = []
            for _ in range(20):
                proposals.append(teacher.sample())
                teacher.observe(played(proposals[-1], bumpy(proposals[-1].task)))
            sequences.add(repr(proposals))
        assert len(sequences) == 4

    @every_teacher
    def test_one_seed_makes_one_sequence_and_global_state_is_neither_used_nor_touched(
        self, name: str
    ) -> None:
        np.random.seed(1)  # noqa: NPY002 (the global generator is what this is about)
        random.seed(1)
        before = np.random.get_state()[1].tobytes(), random.getstate()  # type: ignore[index]  # noqa: NPY002
        first = run(build_teacher(name, space=cube(2), seed=0), 600)
        after = np.random.get_state()[1].tobytes(), random.getstate()  # type: ignore[index]  # noqa: NPY002
        assert before == after
        np.random.seed(2)  # noqa: NPY002
        random.seed(2)
        assert np.array_equal(first, run(build_teacher(name, space=cube(2), seed=0), 600))


class TestTolerance:
    @every_teacher
    def test_results_out_of_order_and_many_in_flight(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        order = np.random.default_rng(1)
        flying: list[Proposal] = []
        tasks = []
        for _ in range(1500):
            flying.append(teacher.sample())
            tasks.append(flying[-1].task)
            if len(flying) > 64:
                proposal = flying.pop(int(order.integers(len(flying))))
                teacher.observe(played(proposal, bumpy(proposal.task)))
        assert_sound(teacher, np.array(tasks))

    @every_teacher
    @pytest.mark.usefixtures("no_variation")
    @pytest.mark.parametrize(("dim", "constant"), [(1, 0.3), (2, 0.0), (2, -1e6), (20, 0.3)])
    def test_constant_returns(self, name: str, dim: int, constant: float) -> None:
        teacher = build_teacher(name, space=cube(dim), seed=0)
        assert_sound(teacher, run(teacher, 600, lambda task: constant))

    @every_teacher
    @pytest.mark.usefixtures("no_variation")
    @pytest.mark.parametrize(
        ("dim", "tasks"),
        [
            (1, 1),
            pytest.param(1, 5, marks=pytest.mark.slow),
            (2, 2),
            pytest.param(20, 1, marks=pytest.mark.slow),
            (20, 5),
        ],
    )
    def test_duplicate_tasks(self, name: str, dim: int, tasks: int) -> None:
        space = cube(dim)
        teacher = build_teacher(name, space=space, seed=0)
        rng = np.random.default_rng(1)
        few = space.sample(rng, tasks)
        proposed = []
        for i in range(600):
            proposed.append(teacher.sample().task)
            teacher.observe(played(Proposal(few[i % tasks], "again"), float(rng.random())))
        assert_sound(teacher, np.array(proposed))

    @pytest.mark.slow
    @every_teacher
    def test_six_thousand_results(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        assert_sound(teacher, run(teacher, 6_000))

    @pytest.mark.slow
    @every_teacher
    def test_a_million_results(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        assert_sound(teacher, run(teacher, 1_000_000))


class TestState:
    @pytest.mark.medium
    def test_a_fresh_process_goes_on_bit_for_bit(self, tmp_path: Path) -> None:
        expected: dict[Path, list[list[float]]] = {}
        for name in TEACHERS:
            teacher, tasks = build_teacher(name, space=cube(2), seed=0), list[list[float]]()
            paths = {stop: tmp_path / f"{name}.{stop}" for stop in STOPS}
            for stop, path in paths.items():
                tasks += run(teacher, stop - len(tasks)).tolist()
                save_state(path, teacher.state_dict())
            tasks += run(teacher, 300).tolist()
            expected |= {path: tasks[stop : stop + 300] for stop, path in paths.items()}
        command = [sys.executable, "-m", "tests.teachers.continue_run", *map(str, expected)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        for path, tasks in expected.items():
            assert np.load(f"{path}.npy").tolist() == tasks, path.name

    @every_teacher
    def test_a_state_does_not_change_while_the_teacher_goes_on(self, name: str, tmp_path: Path) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        run(teacher, 600)
        state = teacher.state_dict()
        save_state(tmp_path / "before", state)
        run(teacher, 600)
        save_state(tmp_path / "after", state)
        assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()

    @every_teacher
    def test_a_restored_teacher_does_not_change_the_state(self, name: str, tmp_path: Path) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        run(teacher, 600)
        save_state(tmp_path / "state", teacher.state_dict())
        state = load_state(tmp_path / "state")
        sequences = []
        for _ in range(2):
            restored = build_teacher(name, space=cube(2), seed=5)
            restored.load_state_dict(state)
            sequences.append(run(restored, 600))
        assert np.array_equal(sequences[0], sequences[1])

    @every_teacher
    def test_metrics_come_back(self, name: str) -> None:
        teacher, restored = (build_teacher(name, space=cube(2), seed=seed) for seed in (0, 1))
        run(teacher, 700)
        restored.load_state_dict(teacher.state_dict())
        assert restored.metrics() == teacher.metrics()

    @every_teacher
    def test_a_state_of_another_space_is_refused(self, name: str) -> None:
        state = build_teacher(name, space=cube(2), seed=0).state_dict()
        other_names = TaskSpace([TaskParameter("a", 0, 1), TaskParameter("b", 0, 1)])
        for space, field in ((cube(3), "columns"), (cube(2, -1, 1), "low"), (other_names, "columns")):
            with pytest.raises(ValueError, match=f"{field}=.* of the stored state must equal"):
                build_teacher(name, space=space, seed=0).load_state_dict(state)

    @every_teacher
    def test_a_state_of_another_teacher_is_refused(self, name: str) -> None:
        teacher = build_teacher(name, space=cube(2), seed=0)
        for other in TEACHERS:
            state = build_teacher(other, space=cube(2), seed=0).state_dict()
            if state["teacher"] != type(teacher).__name__:
                with pytest.raises(ValueError, match=r"teacher='\w+' of the stored state must be"):
                    teacher.load_state_dict(state)


def test_reversed_bounds_are_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"x0: bounds \[1, 0\] must have low < high"):
        TaskSpace([TaskParameter("x0", 1, 0)])
