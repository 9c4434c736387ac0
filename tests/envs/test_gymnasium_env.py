from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import pytest
from chiron.envs.gymnasium_env import GymnasiumEnv, gymnasium_env
from chiron.envs.gymnasium_env.attribute_path import AttributePath
from chiron.runs.blaming import make_blaming
from gymnasium import spaces

from tests.listing import build_env, composed

CART_POLE: dict[str, Any] = {
    "env_id": "CartPole-v1",
    "parameters": {"pole_mass": {"attribute": "unwrapped.masspole", "value": [0.05, 2.0]}},
    "after_setting": "chiron.envs.gymnasium_env.derived_attributes.cart_pole",
    "return_range": [0, 500],
    "mastered_return": 475,
}


def same_episode(env: gym.Env[Any, Any], task: Any, oracle: gym.Env[Any, Any], **reset: Any) -> None:
    """Check that both play the same episode, bit for bit; the oracle has the task set by hand."""
    oracle.action_space.seed(0)
    seen, _ = env.reset(seed=3, options={"task": task})
    expected, _ = oracle.reset(seed=3, **reset)
    np.testing.assert_array_equal(seen, expected)
    for _ in range(300):
        action = oracle.action_space.sample()
        seen, reward, *over, _ = env.step(action)
        expected, expected_reward, *expected_over, _ = oracle.step(action)
        np.testing.assert_array_equal(seen, expected)
        assert (reward, over) == (float(expected_reward), expected_over)
        if any(over):
            return


def inner(env: GymnasiumEnv) -> Any:
    """The env inside."""
    return env.unwrapped


def stock(env_id: str, **arguments: Any) -> Any:
    return gym.make(env_id, **arguments)


class TestAgainstEnvsSetByHand:
    @pytest.mark.parametrize(
        ("name", "env_id", "arguments", "reset"),
        [
            ("cart_pole", "CartPole-v1", {}, {}),
            ("pendulum", "Pendulum-v1", {}, {"options": {"x_init": 3.14159}}),
            ("acrobot", "Acrobot-v1", {}, {}),
            ("mountain_car_continuous", "MountainCarContinuous-v0", {}, {}),
            (
                "lunar_lander",
                "LunarLander-v3",
                {"enable_wind": True, "wind_power": 0.0, "turbulence_power": 0.0},
                {},
            ),
            ("bipedal_walker_physics", "BipedalWalker-v3", {}, {}),
            ("hopper", "Hopper-v5", {}, {}),
            ("walker2d", "Walker2d-v5", {}, {}),
            ("half_cheetah", "HalfCheetah-v5", {}, {}),
            ("ant", "Ant-v5", {}, {}),
        ],
    )
    def test_the_default_task_is_the_env_as_it_is(
        self, name: str, env_id: str, arguments: dict[str, Any], reset: dict[str, Any]
    ) -> None:
        same_episode(build_env(name), None, stock(env_id, **arguments), **reset)

    def test_cart_pole(self) -> None:
        oracle = stock("CartPole-v1")
        inner = oracle.unwrapped
        inner.masspole, inner.length, inner.gravity, inner.force_mag = 0.7, 1.25, 5.5, 7.0
        inner.total_mass, inner.polemass_length = 1.7, 0.7 * 1.25
        task = {"pole_mass": 0.7, "pole_half_length": 1.25, "gravity": 5.5, "push": 7.0}
        same_episode(build_env("cart_pole"), task, oracle)

    def test_pendulum(self) -> None:
        env = GymnasiumEnv(
            "Pendulum-v1",
            {
                "by_attribute": {"attribute": "unwrapped.g", "value": [1, 20]},
                "start": {"option": "x_init", "value": [0.1, 3], "default": 3},
            },
            [-2000, 0],
            -500,
        )
        task = {"by_attribute": 6.3, "start": 0.2}
        same_episode(env, task, stock("Pendulum-v1", g=6.3), options={"x_init": 0.2})
        by_argument = GymnasiumEnv(
            "Pendulum-v1", {"g": {"argument": "g", "value": [1, 20]}}, [-2000, 0], -500
        )
        same_episode(by_argument, {"g": 6.3}, stock("Pendulum-v1", g=6.3))
        # The default, from the constructor's signature.
        same_episode(by_argument, None, stock("Pendulum-v1"))

    def test_acrobot(self) -> None:
        oracle = stock("Acrobot-v1")
        oracle.unwrapped.LINK_LENGTH_1, oracle.unwrapped.LINK_COM_POS_1 = 1.4, 0.7
        oracle.unwrapped.LINK_MASS_2 = 0.6
        same_episode(build_env("acrobot"), {"link_1_length": 1.4, "link_2_mass": 0.6}, oracle)

    def test_mountain_car(self) -> None:
        oracle = stock("MountainCarContinuous-v0", goal_velocity=0.03)
        oracle.unwrapped.power = 0.002
        task = {"power": 0.002, "goal_velocity": 0.03}
        same_episode(build_env("mountain_car_continuous"), task, oracle)

    def test_lunar_lander(self) -> None:
        changed = {"gravity": -3.7, "wind_power": 12.0, "turbulence_power": 1.5}
        oracle = stock("LunarLander-v3", enable_wind=True, **changed)
        env = build_env("lunar_lander")
        same_episode(env, changed, oracle)
        assert env.unwrapped.world.gravity[1] == pytest.approx(-3.7)

    def test_bipedal_walker(self) -> None:
        oracle = stock("BipedalWalker-v3")
        oracle.unwrapped.world.gravity = (0, -6.5)
        oracle.unwrapped.fd_edge.friction = oracle.unwrapped.fd_polygon.friction = 0.3
        env = build_env("bipedal_walker_physics")
        same_episode(env, {"gravity": -6.5, "ground_friction": 0.3}, oracle)
        assert env.unwrapped.terrain[0].fixtures[0].friction == pytest.approx(0.3)

    def test_hopper(self) -> None:
        from mujoco import mj_setConst

        oracle = stock("Hopper-v5")
        model = oracle.unwrapped.model
        model.body_mass[:] *= 1.5
        model.body_inertia[:] *= 1.5
        model.geom_friction[:] *= 0.5
        model.opt.gravity[2] = -7.0
        mj_setConst(model, oracle.unwrapped.data)
        env = build_env("hopper")
        # Factors do not accumulate.
        env.reset(options={"task": {"mass_factor": 2.0, "friction_factor": 1.75}})
        same_episode(env, {"mass_factor": 1.5, "friction_factor": 0.5, "gravity": -7.0}, oracle)
        for name in ("body_mass", "body_invweight0", "geom_friction"):
            np.testing.assert_array_equal(getattr(env.unwrapped.model, name), getattr(model, name))

    @pytest.mark.parametrize("name", ["hopper", "walker2d", "half_cheetah", "ant"])
    def test_bodies_of_mujoco(self, name: str) -> None:
        """Twice the mass is twice the inertia in every joint, and nothing else is changed."""
        env = build_env(name)
        nominal, heavy = (
            _dynamics(env, {"mass_factor": factor, "joint_damping_factor": factor, "gravity": -6.0 * factor})
            for factor in (1.0, 2.0)
        )
        np.testing.assert_allclose(heavy.pop("inertia"), 2 * nominal.pop("inertia"), atol=1e-9)
        np.testing.assert_array_equal(heavy.pop("damping"), 2 * nominal.pop("damping"))
        np.testing.assert_array_equal(heavy.pop("gravity"), 2 * nominal.pop("gravity"))
        np.testing.assert_allclose(heavy.pop("weight"), 2 * nominal.pop("weight"))
        np.testing.assert_array_equal(heavy["friction"], nominal["friction"])
        rough = _dynamics(env, {"friction_factor": 1.5})
        np.testing.assert_array_equal(rough["friction"], 1.5 * nominal["friction"])
        np.testing.assert_array_equal(rough["observation"], nominal["observation"])


def _dynamics(env: Any, task: dict[str, float]) -> dict[str, Any]:
    """The initial observation of an episode in a task, and MuJoCo's resulting quantities."""
    from mujoco import mj_mulM

    observation, _ = env.reset(seed=3, options={"task": task})
    model, data = env.unwrapped.model, env.unwrapped.data
    columns = []
    for unit in np.eye(model.nv):
        column = np.zeros(model.nv)
        mj_mulM(model, data, column, unit)
        columns.append(column - model.dof_armature * unit)
    return {
        "observation": observation,
        "inertia": np.array(columns),
        "weight": model.body_subtreemass[0],  # derived from the masses by MuJoCo
        "damping": model.dof_damping.copy(),
        "friction": model.geom_friction.copy(),
        "gravity": model.opt.gravity.copy(),
    }


class TestTasks:
    @pytest.mark.parametrize("reuse", [False, True])
    def test_what_one_task_changes_is_back_in_the_next(self, reuse: bool) -> None:
        env = GymnasiumEnv(**CART_POLE, reuse=reuse)
        env.reset(options={"task": {"pole_mass": 1.5}})
        assert inner(env).masspole == 1.5
        assert inner(env).total_mass == 2.5
        env.reset()
        assert inner(env).masspole == 0.1
        assert inner(env).total_mass == 1.1

    def test_numbers_are_those_that_were_written(self) -> None:
        env = GymnasiumEnv(**CART_POLE)
        task = env.reset(options={"task": {"pole_mass": 0.3}})[1]["task"]
        assert inner(env).masspole == 0.3
        assert task.dtype == np.float32

    def test_fixed_values_are_set_and_are_no_dimension(self) -> None:
        env = build_env("cart_pole")
        assert "cart_mass" not in env.task_space.names
        parameters = composed("env=cart_pole", "env.parameters.cart_mass.value=3")["env"]["parameters"]
        env = GymnasiumEnv(**CART_POLE | {"parameters": parameters})
        env.reset()
        assert inner(env).masscart == 3
        assert inner(env).total_mass == 3.1

    def test_space_has_bounds_default_unit_and_easy_end(self) -> None:
        half_length = build_env("cart_pole").task_space.parameters[1]
        assert (half_length.low, half_length.high, half_length.default) == (
            np.float32(0.1),
            np.float32(2.0),
            np.float32(0.5),
        )
        assert (half_length.unit, half_length.easy) == ("m", "high")

    def test_classes_are_left_alone(self) -> None:
        parameter = {"attribute": "unwrapped.AVAIL_TORQUE[2]", "value": [0.5, 2.0]}
        env = GymnasiumEnv("Acrobot-v1", {"torque": parameter}, [-500, 0], -100)
        env.reset(options={"task": {"torque": 2.0}})
        assert inner(env).AVAIL_TORQUE == [-1.0, 0.0, 2.0]
        assert stock("Acrobot-v1").unwrapped.AVAIL_TORQUE == [-1.0, 0.0, 1.0]

    def test_other_options_reach_the_env(self) -> None:
        env = GymnasiumEnv(**CART_POLE)
        observation, _ = env.reset(options={"task": [0.5], "low": 0.01, "high": 0.02})
        assert (observation > 0).all()

    def test_without_a_seed_the_generator_goes_on(self) -> None:
        def seeded_once() -> list[float]:
            env = GymnasiumEnv(**CART_POLE)
            return [float(env.reset(seed=seed)[0][0]) for seed in (0, None, None)]

        first, second = seeded_once(), seeded_once()
        assert first == second
        assert len(set(first)) == 3
        oracle = stock("CartPole-v1")
        assert first == [float(oracle.reset(seed=seed)[0][0]) for seed in (0, None, None)]

    def test_new_envs_are_not_seeded(self) -> None:
        starts = [float(GymnasiumEnv(**CART_POLE).reset()[0][0]) for _ in range(2)]
        assert starts[0] != starts[1]


class TestEpisodes:
    @pytest.mark.parametrize(("threshold", "expected"), [(9.5, True), (10.0, False)])
    def test_success_is_a_return_above_what_counts_as_mastery(self, threshold: float, expected: bool) -> None:
        env = GymnasiumEnv(**CART_POLE | {"arguments": {"max_episode_steps": 10}})
        env.mastered_return = threshold
        for _ in range(2):
            env.reset(seed=0, options={"task": {"pole_mass": 0.1}})
            steps = [env.step(i % 2) for i in range(10)]
            assert [truncated for _, _, _, truncated, _ in steps] == [False] * 9 + [True]
            assert not steps[-1][2]
            assert steps[-1][4]["is_success"] is expected
            assert not any("is_success" in info for *_, info in steps[:-1])

    def test_infos_of_the_env_pass_through(self) -> None:
        env = build_env("hopper")
        _, info = env.reset()
        assert {"task", "x_position"} <= set(info)
        assert "x_velocity" in env.step(env.action_space.sample())[4]


class Thermostat(gym.Env[Any, Any]):
    """An unregistered env; `open` counts instances that were made and not closed."""

    open = 0
    made = 0

    def __init__(self, target: float, size: int = 1, leak: float = 0.1) -> None:
        if target > 30:
            raise ValueError("target is too hot")
        self.observation_space = spaces.Box(-np.inf, np.inf, (int(size),), np.float64)
        self.action_space = spaces.Box(-1, 1, (1,), np.float64)
        self.target, self.size = target, int(size)
        self.nested = {"not": "a number"}
        self.leak = leak
        type(self).open += 1
        type(self).made += 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        return self._observe(), -abs(self.target), action[0] > 0, False, {"is_success": True}

    def _observe(self) -> Any:
        return np.full(self.size, self.target / self.leak if self.leak else np.nan)

    def close(self) -> None:
        type(self).open -= 1


def thermostat(**parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "env_id": f"{__name__}.Thermostat",
        "parameters": parameters,
        "return_range": [-10, 0],
        "mastered_return": -1,
    }


TARGET = {"argument": "target", "value": [10.0, 30.0], "default": 20.0}


class TestEnvsFromAnywhere:
    @pytest.mark.parametrize("env_id", [Thermostat, f"{__name__}.Thermostat"])
    def test_a_class_or_its_import_path(self, env_id: Any) -> None:
        env = GymnasiumEnv(**thermostat(target=TARGET) | {"env_id": env_id})
        assert env.reset(options={"task": [25.0]})[0] == [250.0]

    def test_a_module_that_registers_it(self) -> None:
        env = GymnasiumEnv(**CART_POLE | {"env_id": "gymnasium.envs:CartPole-v1"})
        assert env.reset()[0].shape == (4,)

    def test_envs_are_made_when_needed_and_closed_when_not(self) -> None:
        before = Thermostat.open
        env = GymnasiumEnv(**thermostat(target=TARGET), reuse=True)
        made = Thermostat.made
        for target in (11.0, 12.0, 12.0, 12.0, 13.0):
            env.reset(options={"task": [target]})
            assert inner(env).target == target
            assert Thermostat.open == before + 1
        assert Thermostat.made == made + 3
        env.close()
        assert Thermostat.open == before

    def test_bounds_are_tried_once_for_each_configuration(self) -> None:
        class Counting(Thermostat):
            resets = 0

            def reset(self, **arguments: Any) -> Any:
                type(self).resets += 1
                return super().reset(**arguments)

        configuration = thermostat(target=TARGET) | {"env_id": Counting}
        GymnasiumEnv(**configuration)
        assert Counting.resets == 3
        GymnasiumEnv(**thermostat(target=dict(TARGET)) | {"env_id": Counting})
        assert Counting.resets == 3
        GymnasiumEnv(**configuration | {"reuse": True})
        assert Counting.resets == 6
        for _ in range(2):
            with pytest.raises(ValueError, match=r"target=31 cannot be played.*too hot"):
                GymnasiumEnv(**configuration | {"parameters": {"target": TARGET | {"value": [10.0, 31.0]}}})

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["lunar_lander", "bipedal_walker_physics", "hopper", "cart_pole"])
    def test_memory_stays_flat(self, name: str) -> None:
        env = build_env(name)
        rng = np.random.default_rng(0)
        resident = []
        for episodes in (500, 2000):
            for task in env.task_space.sample(rng, episodes):
                env.reset(options={"task": task})
            gc.collect()
            resident.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        # LunarLander leaves 1.7 KiB behind at each reset, with and without this wrapper.
        assert resident[1] - resident[0] < 2000 * 3


def test_the_env_has_no_say_in_what_success_is() -> None:
    env = GymnasiumEnv(**thermostat(target=TARGET))
    env.reset()
    assert "is_success" not in env.step(np.array([-1.0]))[4]
    assert env.step(np.array([1.0]))[4]["is_success"] is False


class Road(gym.Env[Any, Any]):
    """Records the arguments of its constructor and resets; episodes never end."""

    defaults: ClassVar = {"lanes": 3, "density": 0.5, "weather": "dry"}

    def __init__(self, lanes: int = 3, surface: str = "asphalt", lit: bool = False) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.lanes, self.surface, self.lit = lanes, surface, lit
        self.config = self.defaults
        self.options: dict[str, Any] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.options = options or {}
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        return self._observe(), 1, np.bool_(False), np.bool_(False), {}

    def _observe(self) -> Any:
        return np.full(1, range(self.lanes)[-1], np.float32)


def road(*, arguments: dict[str, Any] | None = None, **parameters: Any) -> GymnasiumEnv:
    declared = {name: parameter for name, parameter in parameters.items() if isinstance(parameter, dict)}
    others = {name: value for name, value in parameters.items() if name not in declared}
    return GymnasiumEnv(Road, declared, [0, 100], 50, arguments, **others)


LANES = {"argument": "lanes", "value": [2, 5], "integer": True}


class TestIntegersAndLevels:
    def test_an_integer_reaches_the_env_as_one(self) -> None:
        env = road(
            lanes=LANES, weight={"attribute": "unwrapped.config[lanes]", "value": [1, 9], "integer": True}
        )
        info = env.reset(options={"task": [3.7, 2.2]})[1]
        assert info["task"].tolist() == [4, 2]
        assert (inner(env).lanes, inner(env).config["lanes"]) == (4, 2)
        assert type(inner(env).config["lanes"]) is int
        assert env.task_space.to_dict(env.task_space.default) == {"lanes": 3, "weight": 3}
        for task in env.task_space.sample(np.random.default_rng(0), 20):
            env.reset(options={"task": task})
            assert type(inner(env).lanes) is int

    def test_a_fixed_integer_is_one_too(self) -> None:
        env = road(
            lanes=LANES | {"value": 4}, density={"attribute": "unwrapped.config[density]", "value": [0, 1]}
        )
        env.reset()
        assert inner(env).lanes == 4
        with pytest.raises(ValueError, match=r"lanes=4.5 must be a whole number"):
            road(lanes=LANES | {"value": 4.5}, lit={"argument": "lit", "levels": [False, True]})

    def test_levels_are_what_the_env_is_given(self) -> None:
        env = road(
            surface={"argument": "surface", "levels": ["gravel", "asphalt", "ice"]},
            lit={"argument": "lit", "levels": [True, False]},
            weather={"attribute": "unwrapped.config[weather]", "levels": ["dry", "wet"], "value": 1},
            traffic={
                "option": "traffic",
                "levels": [[], ["car"], ["car", "bus"]],
                "default": 1,
                "easy": "low",
            },
        )
        assert env.task_space.to_dict(env.task_space.default) == {"surface": 1, "lit": 1, "traffic": 1}
        env.reset(options={"task": {"surface": 2, "lit": 0, "traffic": 2}})
        made = inner(env)
        assert (made.surface, made.lit, made.config["weather"]) == ("ice", True, "wet")
        assert made.options == {"traffic": ["car", "bus"]}

    def test_levels_of_a_factor_multiply(self) -> None:
        env = road(density={"factor": "unwrapped.config[density]", "levels": [0.5, 1, 4]})
        env.reset(options={"task": [2]})
        assert inner(env).config["density"] == 2.0
        env.reset()
        assert inner(env).config["density"] == 0.5

    @pytest.mark.parametrize(
        ("parameter", "objection"),
        [
            (
                {"argument": "lanes", "levels": [1, "many", 3]},
                "1 cannot be played: 'str' object cannot be interpreted as an integer",
            ),
            ({"argument": "surface", "levels": ["ice"]}, r"levels=\['ice'\] must be a list of two or more"),
            ({"argument": "surface", "levels": ["ice", "mud"]}, "own value 'asphalt' is none of its levels"),
            (
                {"argument": "lit", "levels": [False, True], "value": [0, 2]},
                "indices of its 2 levels, from 0",
            ),
            (
                {"argument": "surface", "value": [0, 1]},
                "own value is 'asphalt', not a number: give a default",
            ),
            ({"argument": "lanes", "value": [2, 5], "integer": "yes"}, "integer='yes' must be true or false"),
            (
                {"argument": "lanes", "value": [2.5, 5], "integer": True},
                "low 2.5 of an integer must be whole",
            ),
            ({"argument": "lanes", "value": [4, 6]}, r"own 3 does not lie in value=\[4, 6\]: give a default"),
            (
                {"attribute": "unwrapped.config[density]", "value": [1, 2]},
                "own 0.5 does not lie in .*or factor instead of attribute",
            ),
            (
                {"attribute": "unwrapped.config[dense]", "value": [1, 2]},
                r"unwrapped.config\[dense\] does not exist: dict has no key 'dense', but density",
            ),
        ],
    )
    def test_what_is_refused(self, parameter: dict[str, Any], objection: str) -> None:
        with pytest.raises(ValueError, match=f"Road: it[:=].*{objection}") as refused:
            road(it=parameter)
        assert "np." not in str(refused.value)

    def test_dicts_of_a_class_are_left_alone(self) -> None:
        env = road(density={"attribute": "unwrapped.config[density]", "value": [0, 1]})
        env.reset(options={"task": [0.25]})
        assert inner(env).config == Road.defaults | {"density": 0.25}
        assert Road.defaults["density"] == 0.5


class TestEnvsFromTheWild:
    def test_episodes_can_be_given_an_end(self) -> None:
        env = road(lanes=LANES, max_episode_steps=3)
        for _ in range(2):
            env.reset()
            steps = [env.step(0) for _ in range(3)]
            assert [truncated for *_, truncated, _ in steps] == [False, False, True]
            assert "is_success" in steps[-1][4]
        registered = GymnasiumEnv(**CART_POLE, max_episode_steps=2)
        registered.reset()
        assert [registered.step(0)[3] for _ in range(2)] == [False, True]
        for limit in (0, 1.5, "many"):
            with pytest.raises(
                ValueError, match=r"max_episode_steps=.* must be a whole number of at least 1"
            ):
                road(lanes=LANES, max_episode_steps=limit)

    def test_truth_values_and_rewards_are_those_of_python(self) -> None:
        env = road(lanes=LANES)
        env.reset()
        assert [type(value) for value in env.step(0)[1:4]] == [float, bool, bool]

    def test_wrappers_are_put_around_it(self) -> None:
        clipped = partial(gym.wrappers.TransformReward, func=lambda reward: 2 * float(reward))
        env = road(lanes=LANES, wrappers=["gymnasium.wrappers.FlattenObservation", clipped])
        env.reset()
        assert env.step(0)[1] == 2
        with pytest.raises(ValueError, match=r"gymnasium.wrappers.Flatten cannot be imported"):
            road(lanes=LANES, wrappers=["gymnasium.wrappers.Flatten"])
        with pytest.raises(ValueError, match=r"wrappers: 3 must be an import path"):
            road(lanes=LANES, wrappers=[3])

    def test_a_spec_is_as_good_as_an_id(self) -> None:
        spec = gym.spec("CartPole-v1")
        env = GymnasiumEnv(**CART_POLE | {"env_id": spec})
        same_episode(env, [0.1], stock("CartPole-v1"))
        with pytest.raises(ValueError, match=r"CartPole-v1: return_range"):
            GymnasiumEnv(**CART_POLE | {"env_id": spec, "return_range": [1, 0]})

    def test_a_vector_env_is_refused(self) -> None:
        gym.register("OnlyMany-v0", vector_entry_point="somewhere:Many")
        with pytest.raises(ValueError, match="OnlyMany-v0: is registered as a vector env only"):
            GymnasiumEnv(**CART_POLE | {"env_id": "OnlyMany-v0"})

    @pytest.mark.parametrize(
        ("changes", "objection"),
        [
            ({"reset": lambda self: np.zeros(1)}, "the default task cannot be played: .*'seed'"),
            ({"reset": lambda self, *, seed, options: np.zeros(1)}, "the default task cannot be played"),
            (
                {"step": lambda self, action: (np.zeros(1), 0.0, False, {})},
                "the default task cannot be played",
            ),
            ({"__init__": lambda self, lanes, width: None}, r"cannot be made with \(lanes=3\): .*'width'"),
            (
                {"__init__": lambda self, lanes: 1 / 0},
                r"cannot be made with \(lanes=3\): ZeroDivisionError: division by zero",
            ),
        ],
    )
    def test_others_are_refused_in_one_sentence(self, changes: dict[str, Any], objection: str) -> None:
        strange = type("Strange", (Road,), changes)
        with pytest.raises(ValueError, match=f"Strange: {objection}") as refused:
            GymnasiumEnv(strange, {"lanes": LANES | {"default": 3}}, [0, 100], 50)
        assert "\n" not in str(refused.value)

    def test_a_step_that_does_not_end_is_refused_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Acrobot subtracts full turns from its angles, one by one; this one needs 3e8 of them."""
        monkeypatch.setattr(gymnasium_env, "_LONGEST_STEP", 0.2)
        torque = {"factor": "unwrapped.AVAIL_TORQUE", "value": 2e9}
        mass = {"attribute": "unwrapped.LINK_MASS_1", "value": [0.5, 1.5]}
        acrobot = partial(GymnasiumEnv, "Acrobot-v1", {"mass": mass, "torque": torque}, [-500, 0], -100)
        made = []

        def make(component: Any) -> Any:
            made.append(component)
            return component()

        with pytest.raises(
            ValueError, match=r"env=acrobot: .*torque 2e\+09 .*: a step took longer than 0.2 s"
        ):
            make_blaming("env=acrobot", acrobot, make)
        assert len(made) == 1

    def test_what_makes_no_env_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"object: .*[eE]xpected env to be a `gymnasium.Env`"):
            GymnasiumEnv(
                cast(Any, object), {"lanes": {"option": "lanes", "value": [0, 1], "default": 0}}, [0, 1], 1
            )

    def test_observations_of_any_kind_are_looked_at(self) -> None:
        class Tells(Road):
            def _observe(self) -> Any:
                return ({"text": "a road", "lanes": self.lanes}, (np.float32(self.lanes), None))

        env = GymnasiumEnv(Tells, {"lanes": LANES}, [0, 100], 50)
        assert env.reset()[0][0]["lanes"] == 3


PARAMETER = CART_POLE["parameters"]["pole_mass"]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("changes", "objection"),
        [
            ({"env_id": "KartPole-v1"}, "KartPole"),
            ({"env_id": "CartPole-v9"}, "CartPole-v9.*v1"),
            ({"env_id": "nowhere.CartPole"}, "nowhere.CartPole cannot be imported"),
            ({"env_id": "nowhere:CartPole-v1"}, "module nowhere cannot be imported"),
            ({"parameters": {}}, "parameters must name at least one"),
            ({"parameters": {"pole_mass": {**PARAMETER, "value": 0.1}}}, "pole_mass.*bounds"),
            ({"parameters": {"pole_mass": 0.1}}, "pole_mass: must have the keys"),
            (
                {"parameters": {"pole_mass": {**PARAMETER, "attribute": "unwrapped.mass"}}},
                "pole_mass: unwrapped.mass does not exist: CartPoleEnv has no 'mass', but masspole",
            ),
            (
                {"parameters": {"pole_mass": {**PARAMETER, "attribute": "unwrapped..masspole"}}},
                "pole_mass: 'unwrapped..masspole' must be attributes, and indices or keys",
            ),
            (
                {"parameters": {"pole_mass": {**PARAMETER, "attribute": "unwrapped.state"}}},
                "pole_mass: unwrapped.state is None, not a number",
            ),
            (
                {"parameters": {"pole_mass": {"factor": "unwrapped.kinematics_integrator", "value": [1, 2]}}},
                "pole_mass: unwrapped.kinematics_integrator is 'euler', not a number",
            ),
            ({"parameters": {"pole_mass": {**PARAMETER, "units": "kg"}}}, "pole_mass: unknown key 'units'"),
            ({"parameters": {"pole_mass": {**PARAMETER, "option": "low"}}}, "pole_mass: must have one of"),
            ({"parameters": {"pole_mass": {"value": [1, 2]}}}, "pole_mass: must have one of"),
            ({"parameters": {"mass": {"argument": 3, "value": [1, 2]}}}, "mass: argument=3 must be a name"),
            ({"parameters": {"pole_mass": {**PARAMETER, "easy": "left"}}}, "pole_mass: easy='left'"),
            ({"parameters": {"pole_mass": {**PARAMETER, "default": "x"}}}, "pole_mass: default='x'"),
            (
                {"parameters": {"pole_mass": {**PARAMETER, "value": [0.2, 1]}}},
                "pole_mass: the env's own 0.1 does not",
            ),
            ({"parameters": {"pole_mass": {**PARAMETER, "value": [1, 0.2]}}}, "pole_mass.*low < high"),
            ({"parameters": {"pole_mass": {**PARAMETER, "value": [1, 2, 3]}}}, "pole_mass: value="),
            ({"parameters": {"pole_mass": {**PARAMETER, "value": "heavy"}}}, "pole_mass: value='heavy'"),
            ({"parameters": {"pole_mass": {"option": "high", "value": [0, 1]}}}, "pole_mass.*give a default"),
            (
                {"parameters": {"pole_mass": PARAMETER, "again": PARAMETER}},
                "pole_mass and again act on the same number",
            ),
            ({"parameters": {"length": PARAMETER}}, "the logs have columns of their own"),
            ({"arguments": {"gravitas": 1}}, r"cannot be made with \(gravitas=1\).*unexpected keyword"),
            (
                {"after_setting": "chiron.envs.gymnasium_env.derived_attributes.cartpole"},
                "chiron.envs.gymnasium_env.derived_attributes.cartpole cannot",
            ),
            ({"return_range": [500, 0]}, "return_range="),
            ({"mastered_return": None}, "mastered_return=None"),
            ({"mastered_return": 501}, r"mastered_return=501 must be a number in return_range=\[0, 500\]"),
        ],
    )
    def test_in_one_sentence_that_names_env_and_reason(self, changes: dict[str, Any], objection: str) -> None:
        arguments = CART_POLE | changes
        with pytest.raises(ValueError, match=objection) as refused:
            GymnasiumEnv(**arguments)
        assert str(refused.value).startswith(f"{arguments['env_id']}: ")
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize(
        ("parameter", "objection"),
        [
            ({"argument": "gravity", "value": [-20, -1]}, "gravity=-20 cannot be played.*between -12 and 0"),
            ({"argument": "gravity", "value": [-11, 1]}, "gravity=1 cannot be played.*between -12 and 0"),
            (
                {"argument": "gravitas", "value": [-11, 1]},
                "gravity: the env has no value.*takes render_mode, continuous, gravity.*give a default",
            ),
            (
                {"attribute": "unwrapped.world.gravity[2]", "value": [-11, 1]},
                r"gravity: unwrapped.world.gravity\[2\] does not exist: b2Vec2 of size 2 has no index 2",
            ),
        ],
    )
    def test_values_the_env_refuses(self, parameter: dict[str, Any], objection: str) -> None:
        with pytest.raises(ValueError, match=f"LunarLander-v3: {objection}"):
            GymnasiumEnv("LunarLander-v3", {"gravity": parameter}, [-400, 300], 200)

    @pytest.mark.parametrize(
        ("parameters", "objection"),
        [
            ({"target": {**TARGET, "value": [10, 40]}}, "target=40 cannot be played.*target is too hot"),
            ({"target": {**TARGET, "default": None}}, "target.*give a default"),
            (
                {"target": TARGET, "door": {**TARGET, "argument": "door"}},
                "unexpected keyword argument 'door'",
            ),
            ({"target": {**TARGET, "value": [50, 60], "default": 50}}, "too hot"),
            (
                {"target": TARGET, "size": {"argument": "size", "value": [1, 2]}},
                "size=2 changes the env's observation or action space",
            ),
            (
                {"target": TARGET, "leak": {"attribute": "unwrapped.leak", "value": [0, 1]}},
                "leak=0 gives observations or rewards that are not finite",
            ),
            (
                {"target": TARGET, "leak": {"factor": "unwrapped.nested", "value": [0, 1]}},
                "leak: unwrapped.nested is .* not a number",
            ),
        ],
    )
    def test_values_that_break_the_env(self, parameters: dict[str, Any], objection: str) -> None:
        with pytest.raises(ValueError, match=objection):
            GymnasiumEnv(**thermostat(**parameters))

    def test_a_missing_library_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in [name for name in sys.modules if name.startswith("gymnasium.envs.mujoco")]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, "mujoco", None)
        with pytest.raises(ValueError, match=r"Hopper-v5: .*pip install \W*gymnasium\[mujoco\]") as refused:
            build_env("hopper")
        assert "\n" not in str(refused.value)


class TestAttributePath:
    @pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a[]", "a[b", "a[1", "[1]", "a b", "a()"])
    def test_what_is_no_path_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be attributes, and indices or keys in brackets"):
            AttributePath(text)

    def test_reads_and_writes_through_attributes_and_indices(self) -> None:
        class Owner:
            rows: Any = ((1, [2, 3]), np.eye(2))

        owner = Owner()
        shared = Owner.rows
        path = AttributePath("rows[1][0][-1]")
        owner.rows = list(shared)
        path.write(owner, 5.0)
        assert path.read(owner) == 5.0
        assert shared[1].tolist() == [[1, 0], [0, 1]]

    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            ("a[b]", "a.b", False),
            ("a[b]", "a[b].c", True),
            ("a.b", "a.b[1]", True),
            ("a.b[0]", "a.b[1]", False),
            ("a.b", "a.bc", False),
            ("a.b", "a.b", True),
        ],
    )
    def test_overlaps(self, one: str, other: str, expected: bool) -> None:
        assert AttributePath(one).overlaps(AttributePath(other)) is expected
        assert AttributePath(other).overlaps(AttributePath(one)) is expected


def test_what_mujoco_warns_of_is_logged_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    env = build_env("half_cheetah")
    env.reset(seed=0)
    env.unwrapped.data.qpos[:] = 1e11
    env.step(env.action_space.sample())
    assert "qpos" in caplog.text.lower() or "nan" in caplog.text.lower()
    assert list(tmp_path.iterdir()) == []
