from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs.task_space import Quantity, TaskParameter, TaskSettings, TaskSpace


@pytest.fixture
def space() -> TaskSpace:
    """Parameters of mixed sizes, so that the codec must use offsets, not indices."""
    return TaskSpace(
        [
            TaskParameter("shape", [0, 0, 0], [4, 5, 6], size=3),
            TaskParameter("height", 0, 3, default=1, unit="m"),
            TaskParameter("pair", -1, 1, size=2),
        ]
    )


def test_groups_and_numbers_survive_the_way_to_a_dict_and_back(space: TaskSpace) -> None:
    for task in space.sample(np.random.default_rng(0), 50):
        named = space.to_dict(task)
        assert named["shape"].tolist() == task[:3].tolist()
        assert named["height"] == task[3]
        assert named["pair"].tolist() == task[4:].tolist()
        assert space.to_vector(named).tolist() == task.tolist()
        assert space.to_vector(task).tolist() == task.tolist()


def test_columns_name_each_number(space: TaskSpace) -> None:
    assert space.columns == ["shape_0", "shape_1", "shape_2", "height", "pair_0", "pair_1"]
    assert space.names == ["shape", "height", "pair"]
    assert space.dim == 6


def test_missing_parameters_take_their_default(space: TaskSpace) -> None:
    assert space.to_vector({"pair": [0.5, -0.5]}).tolist() == [2, 2.5, 3, 1, 0.5, -0.5]
    assert space.to_vector(None).tolist() == space.default.tolist()


def test_samples_fill_the_space_and_stay_inside(space: TaskSpace) -> None:
    tasks = space.sample(np.random.default_rng(0), 20_000)
    assert tasks.dtype == np.float32
    assert all(space.contains(task) for task in tasks[:1000])
    np.testing.assert_allclose(tasks.mean(axis=0), (space.low + space.high) / 2, atol=0.05)
    np.testing.assert_allclose(tasks.min(axis=0), space.low, atol=0.01)
    np.testing.assert_allclose(tasks.max(axis=0), space.high, atol=0.01)


def test_normalizing_maps_bounds_to_zero_and_one(space: TaskSpace) -> None:
    assert space.normalize(space.low).tolist() == [0] * 6
    assert space.normalize(space.high).tolist() == [1] * 6
    task = space.sample(np.random.default_rng(0))
    np.testing.assert_allclose(space.denormalize(space.normalize(task)), task, rtol=1e-6)


def test_bounds_that_float32_cannot_hold_are_still_kept() -> None:
    space = TaskSpace([TaskParameter("x", 0.1, 0.3)])
    assert space.contains(space.denormalize([1.0]))
    assert space.contains(space.denormalize([0.0]))


def test_clip_moves_to_the_nearest_task(space: TaskSpace) -> None:
    assert space.clip(space.high + 1).tolist() == space.high.tolist()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"hight": 1}, "unknown task parameter 'hight'.*height"),
        ({"height": 4}, r"height=4 must lie in \[0, 3\]"),
        ({"height": np.nan}, "height=nan must lie in"),
        ([1, 2], r"shape \(6,\)"),
    ],
)
def test_refuses_what_is_no_task(space: TaskSpace, task: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        space.to_vector(task)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "default", "message"),
    [(1, 0, None, "low < high"), (0, np.nan, None, "finite"), (0, 1, 2, "default 2")],
)
def test_refuses_impossible_parameters(low: float, high: float, default: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TaskParameter("x", low, high, default)


def test_refusals_show_numbers_as_a_person_writes_them() -> None:
    with pytest.raises(ValueError, match="default") as refused:
        TaskParameter("x", np.float64(0.1), np.float32(1), np.float64(-9.81))
    assert str(refused.value) == "x: default -9.81 must lie in [0.1, 1.0]"


class TestIntegers:
    @pytest.fixture
    def space(self) -> TaskSpace:
        return TaskSpace(
            [
                TaskParameter("skip", 2, 5, integer=True),
                TaskParameter("speed", 0, 1),
                TaskParameter("sides", [0, -3], [1, 3], size=2, integer=True),
            ]
        )

    def test_a_uniform_draw_plays_each_whole_number_equally_often(self, space: TaskSpace) -> None:
        points = space.sample(np.random.default_rng(0), 60_000)
        tasks = space.rounded(points)
        assert tasks.dtype == np.float32
        assert (tasks[:, 1] == points[:, 1]).all()
        for column, least, most in ((0, 2, 5), (2, 0, 1), (3, -3, 3)):
            values, counts = np.unique(tasks[:, column], return_counts=True)
            assert values.tolist() == list(range(least, most + 1))
            np.testing.assert_allclose(counts, 60_000 / len(values), rtol=0.05)
        assert not np.signbit(tasks[tasks == 0]).any()

    def test_messages_show_a_task_as_a_person_writes_it(self, space: TaskSpace) -> None:
        assert space.shown([3.4, 0.1, 1, -0.2]) == "skip=3, speed=0.1, sides_0=1, sides_1=0"

    def test_borders_of_the_box_play_the_ends_of_the_range(self, space: TaskSpace) -> None:
        assert (space.low[0], space.high[0]) == (1.5, 5.5)
        assert space.rounded(space.low).tolist() == [2, 0, 0, -3]
        assert space.rounded(np.stack([space.high, space.low])).tolist() == [[5, 1, 1, 3], [2, 0, 0, -3]]

    def test_what_is_played_is_rounded_and_named_in_whole_numbers(self, space: TaskSpace) -> None:
        task = space.to_vector({"skip": 3.4, "speed": 0.7, "sides": [0.6, -2.2]})
        assert task.tolist() == pytest.approx([3, 0.7, 1, -2])
        named = space.to_dict([3.4, 0.7, 0.6, -2.2])
        assert type(named["skip"]) is int
        assert named["sides"].dtype == np.int64
        assert space.to_vector(named).tolist() == task.tolist()
        assert space.to_vector(None).tolist() == [4, 0.5, 0, 0]

    def test_refusals_name_the_range_that_was_declared(self, space: TaskSpace) -> None:
        with pytest.raises(ValueError, match=r"task skip=6 must lie in \[2, 5\]"):
            space.to_vector({"skip": 6})

    @pytest.mark.parametrize(
        ("low", "high", "default", "message"),
        [
            (0.5, 2, None, "x: low 0.5 of an integer must be whole"),
            (0, 2, 1.5, "x: default 1.5 of an integer must be whole"),
            (0, 2**24, None, "x: high 16777216 of an integer must be whole, at most 8,388,608"),
        ],
    )
    def test_refuses_integers_that_are_none(
        self, low: float, high: float, default: float | None, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            TaskParameter("x", low, high, default, integer=True)

    def test_settings_know_integers(self) -> None:
        settings = TaskSettings(
            {"skip": (2, 5), "side": 3}, {"skip": Quantity(integer=True), "side": Quantity(integer=True)}
        )
        values = settings.values_in(np.array([2.6], np.float32))
        assert values == {"skip": 3, "side": 3}
        assert {type(value) for value in values.values()} == {int}
        with pytest.raises(ValueError, match=r"side=2.5 must be a whole number"):
            TaskSettings({"side": 2.5}, {"side": Quantity(integer=True)})

    def test_spaces_without_integers_hand_back_what_they_are_given(self) -> None:
        space = TaskSpace([TaskParameter("x", 0, 1)])
        task = space.sample(np.random.default_rng(0), 3)
        assert space.rounded(task) is task


def test_refuses_two_parameters_of_one_name() -> None:
    with pytest.raises(ValueError, match="must differ"):
        TaskSpace([TaskParameter("x", 0, 1), TaskParameter("x", 0, 1)])


def test_refuses_a_parameter_that_would_overwrite_a_column_of_the_logs() -> None:
    with pytest.raises(ValueError, match="'length'"):
        TaskSpace([TaskParameter("length", 0, 1)])


def test_refuses_an_easy_end_that_is_none() -> None:
    with pytest.raises(ValueError, match="x: easy='left' must be 'low' or 'high'"):
        TaskParameter("x", 0, 1, easy="left")


def test_settings_make_parameters_of_what_has_bounds() -> None:
    quantities = {
        "height": Quantity("m"),
        "gap": Quantity("m", easy="high", default="easy"),
        "shape": Quantity(size=3),
    }
    settings = TaskSettings(
        {"height": (0, 3), "gap": (1, 6), "shape": (0, [1, 2, 3]), "weight": 2, "colour": None}, quantities
    )
    height, gap, shape = settings.space.parameters
    assert (height.unit, height.easy, gap.easy) == ("m", "low", "high")
    assert settings.space.default.tolist() == [1.5, 6.0, 0.5, 1.0, 1.5]
    assert shape.high.tolist() == [1, 2, 3]
    assert settings.fixed == {"weight": 2.0}
    assert settings.values_in(settings.space.low)["shape"].tolist() == [0, 0, 0]


def test_settings_fix_the_numbers_of_a_group() -> None:
    settings = TaskSettings({"x": (0, 1), "shape": [3, 2, 1]}, {"shape": Quantity(size=3)})
    assert settings.fixed["shape"].tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ([1, 2, 3, 4], r"shape=\[1, 2, 3, 4\] must be one number, 3 numbers or \[low, high\]"),
        ([0, [1, 2]], "shape: .* must be one number, or one for each of its 3"),
        ([1, np.nan, 1], "must be finite"),
    ],
)
def test_settings_refuse_groups_of_another_size(setting: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TaskSettings({"shape": setting}, {"shape": Quantity(size=3)})


@pytest.mark.parametrize("setting", [1e14, -1001.0, (0.0, 2e9), (-2000.0, 1.0)])
def test_settings_refuse_what_an_env_cannot_play(setting: Any) -> None:
    with pytest.raises(ValueError, match=r"height=.* must lie in \[-1000, 1000\]"):
        TaskSettings({"height": setting, "width": (0.0, 1.0)}, {"height": Quantity(most=1000)})
