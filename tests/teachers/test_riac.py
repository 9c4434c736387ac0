from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.teachers import RIAC
from chiron.teachers.region_tree import RegionTree, learning_progress
from numpy.typing import NDArray

from tests.teachers.spaces import ChangingStudent, bumpy, cube, result, run

Floats = NDArray[np.float64]


def closed_form(returns: Floats, window: int) -> float:
    """|mean of the older half - mean of the newer half| of the last returns, newest last."""
    if len(returns) <= 2:
        return 0.0
    used = min(len(returns), window)
    half = used // 2
    return float(abs(returns[-used:-half].mean() - returns[-half:].mean()))


class TestLearningProgress:
    @pytest.mark.parametrize("window", [2, 7, 200])
    def test_is_the_closed_form(self, window: int) -> None:
        rng = np.random.default_rng(0)
        for count in (0, 1, 2, 3, 4, 5, 50, 199, 200, 201):
            returns = rng.normal(size=201)
            ages = np.where(np.arange(201) < count, count - 1 - np.arange(201), 201)
            progress = learning_progress(returns[None], ages[None], np.array([count]), window)
            assert progress[0] == pytest.approx(closed_form(returns[:count], window), abs=1e-12)

    @pytest.mark.parametrize("constant", [0.3, 1 / 3, -1e6, 0.1 + 1e9])
    def test_of_constant_returns_is_exactly_zero(self, constant: float) -> None:
        ages = np.arange(201)[None, ::-1]
        assert learning_progress(np.full((1, 201), constant), ages, np.array([201]), 200)[0] == 0


@pytest.fixture(scope="module")
def played() -> tuple[RIAC, NDArray[np.float32], Floats]:
    """A teacher that has split its space, with the tasks it was told about and their returns."""
    teacher = RIAC(cube(2), seed=0)
    tasks = run(teacher, 6000)
    return teacher, tasks, np.array([bumpy(task) for task in tasks])


class TestRegions:
    def test_leaves_tile_the_space(self, played: Any) -> None:
        teacher, *_ = played
        regions, leaves = teacher.regions, teacher.regions.leaves
        assert len(leaves) > 20
        assert np.prod(regions.high - regions.low, axis=1)[leaves].sum() == pytest.approx(1)
        points = np.random.default_rng(0).random((2000, 2))
        inside = (points[:, None] > regions.low[leaves]) & (points[:, None] <= regions.high[leaves])
        assert (inside.all(axis=2).sum(axis=1) == 1).all()

    def test_every_box_remembers_the_last_tasks_played_in_it(self, played: Any) -> None:
        teacher, tasks, returns = played
        low, high = teacher.regions.low, teacher.regions.high
        for region in range(len(teacher.regions)):
            own_tasks, own_returns = teacher.regions.episodes(region)
            at_edge = low[region] == 0
            above = (tasks > low[region]) | (at_edge & (tasks >= low[region]))
            inside = (above & (tasks <= high[region])).all(axis=1)
            count = teacher.regions.counts[region]
            assert 10 <= count <= 201
            assert np.array_equal(own_tasks, tasks[inside][-count:])
            assert np.array_equal(own_returns, returns[inside][-count:])

    def test_only_leaves_are_below_capacity(self, played: Any) -> None:
        teacher, *_ = played
        counts, leaves = teacher.regions.counts, teacher.regions.leaves
        inner = np.setdiff1d(np.arange(len(counts)), leaves)
        assert (counts[inner] == 201).all()
        assert (counts[leaves] <= 200).all()

    def test_progress_of_every_box_is_the_closed_form(self, played: Any) -> None:
        teacher, *_ = played
        for region, progress in enumerate(teacher.regions.alp):
            _, returns = teacher.regions.episodes(region)
            assert progress == pytest.approx(closed_form(returns, 200), abs=1e-12)

    def test_no_side_is_below_a_fifteenth(self, played: Any) -> None:
        teacher, *_ = played
        assert (teacher.regions.high - teacher.regions.low).min() >= 1 / 15 - 1e-12

    def test_memory_is_bounded_where_the_tree_is(self, played: Any) -> None:
        teacher, *_ = played
        state = teacher.state_dict()["state"]["regions"]
        assert len(state["tasks"]) <= 2 * 201 * len(teacher.regions)
        tree = RegionTree(np.zeros(2, np.float32), np.ones(2, np.float32), capacity=10, window=10)
        for i in range(5000):
            tree.add(np.full(2, 0.5, dtype=np.float32), float(i))
        assert tree.episodes(0)[1].tolist() == list(range(4990, 5000))
        assert len(tree.state_dict()["tasks"]) <= 40


class TestCuts:
    @pytest.mark.parametrize("split_score", ["population", "authors"])
    def test_the_best_of_all_attempts_is_made(
        self, split_score: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        teacher = RIAC(cube(2), seed=0, split_score=split_score)
        drawn: list[tuple[Any, Any]] = []
        draw = teacher._draw_cuts

        def noted(leaf: int, tasks: Any) -> Any:
            drawn.append(draw(leaf, tasks))
            return drawn[-1]

        monkeypatch.setattr(teacher, "_draw_cuts", noted)
        rng = np.random.default_rng(0)
        tasks = rng.random((201, 2)).astype(np.float32)
        returns = np.where(tasks[:, 0] < 0.4, np.linspace(0, 1, 201), 0.5) + 0.05 * rng.random(201)
        for task, episode_return in zip(tasks, returns, strict=True):
            teacher.observe(result(task, episode_return))
        (dims, thresholds), scores = drawn[0], []
        assert len(dims) > 30
        for dim, threshold in zip(dims, thresholds, strict=True):
            lower = tasks[:, dim] <= threshold
            assert 10 <= lower.sum() <= 191
            difference = abs(closed_form(returns[lower], 200) - closed_form(returns[~lower], 200))
            scores.append(difference * (lower.sum() * (~lower).sum() if split_score == "population" else 1))
        best = int(np.argmax(scores))
        assert len(teacher.regions) == 3
        assert teacher.regions.high[1, dims[best]] == thresholds[best]
        assert teacher.regions.low[2, dims[best]] == thresholds[best]
        assert teacher.regions.counts.tolist()[0] == 201
        assert teacher.regions.counts[1:].sum() == 201

    def test_a_leaf_without_a_possible_cut_forgets_its_oldest_quarter(self) -> None:
        teacher = RIAC(cube(2), seed=0)
        for i in range(201):
            teacher.observe(result([0.5, 0.5], float(i)))
        assert teacher.regions.counts.tolist() == [151]
        assert teacher.regions.episodes(0)[1].tolist() == list(range(50, 201))
        assert teacher.metrics()["failed_splits"] == 1


class TestProposals:
    def test_modes_come_in_their_shares(self) -> None:
        teacher = RIAC(cube(2), seed=0)
        run(teacher, 2000)
        modes = [proposal.source.split("_")[0] for proposal in teacher.sample(10_000)]
        for mode, share in (("region", 0.7), ("random", 0.2), ("mutation", 0.1)):
            assert modes.count(mode) / 10_000 == pytest.approx(share, abs=0.015)

    def test_regions_are_chosen_in_proportion_to_their_progress_over_the_whole_tree(self) -> None:
        teacher = RIAC(cube(2), seed=0)
        run(teacher, 2000)
        alp = teacher.regions.alp
        chosen = np.zeros(len(alp))
        for proposal in teacher.sample(20_000):
            mode, _, region = proposal.source.partition("_")
            if mode == "region":
                chosen[int(region)] += 1
        np.testing.assert_allclose(chosen / chosen.sum(), alp / alp.sum(), atol=0.015)
        assert chosen[0] > 0

    def test_lie_in_the_region_they_name(self) -> None:
        teacher = RIAC(cube(2), seed=0)
        run(teacher, 2000)
        for proposal in teacher.sample(2000):
            mode, _, region = proposal.source.partition("_")
            if mode != "random":
                assert (proposal.task >= teacher.regions.low[int(region)] - 1e-6).all()
                assert (proposal.task <= teacher.regions.high[int(region)] + 1e-6).all()

    def test_mutations_surround_the_lowest_return_of_their_region(self) -> None:
        teacher = RIAC(cube(2, 0, 100), seed=0)
        for i in range(100):
            teacher.observe(result([i, i], abs(i - 60)))
        mutations = [p.task for p in teacher.sample(20_000) if p.source == "mutation_0"]
        assert len(mutations) > 1500
        np.testing.assert_allclose(np.mean(mutations, axis=0), [60, 60], atol=0.01)
        np.testing.assert_allclose(np.std(mutations, axis=0), [0.1, 0.1], atol=0.01)

    def test_are_even_over_regions_without_progress(self) -> None:
        teacher = RIAC(cube(2), seed=0)
        run(teacher, 1000, lambda task: 0.3)
        assert len(teacher.regions) > 3
        regions = {proposal.source.partition("_")[2] for proposal in teacher.sample(2000)} - {""}
        assert len(regions) == len(teacher.regions)

    def test_concentrate_where_returns_change(self) -> None:
        teacher, student = RIAC(cube(2), seed=0), ChangingStudent(corner=0.3)
        tasks = run(teacher, 6000, student)[3000:]
        inside = np.mean([student.contains(task) for task in tasks])
        assert inside > 0.25  # 9% of uniform tasks are


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_region_size": 3}, "max_region_size=3 must be at least 4"),
        ({"split_attempts": 0}, "split_attempts=0 must be at least 1"),
        ({"split_score": "len"}, r"split_score='len' must be one of \['population', 'authors'\]"),
        ({"window": 300}, "window=300 must be at least 2 and at most max_region_size=200"),
        ({"min_side_ratio": 0.6}, r"min_side_ratio=0.6 must lie in \[0, 0.5\]"),
        ({"min_population_ratio": -1}, r"min_population_ratio=-1 must lie in \[0, 0.5\]"),
        ({"discard_ratio": 0.0}, r"discard_ratio=0.0 must lie in \[1/max_region_size, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        RIAC(cube(2), **arguments)


def test_a_state_with_another_region_size_is_refused() -> None:
    state = RIAC(cube(2), max_region_size=100).state_dict()
    with pytest.raises(
        ValueError, match="capacity=101 of the regions of the stored state must be this tree's 201"
    ):
        RIAC(cube(2)).load_state_dict(state)
