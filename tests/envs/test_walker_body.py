from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from chiron.conf.build import build
from chiron.envs import StumpTracks
from chiron.envs.walkers.walker_body import BODIES, BodyJoint, BodyPart, WalkerBody, legged_body
from chiron.envs.walkers.walker_env import WalkerEnv
from gymnasium.spaces import Box

QUADRUPED = BODIES["quadruped"]


def with_part(body: WalkerBody, index: int, **changes: Any) -> WalkerBody:
    parts = list(body.parts)
    parts[index] = dataclasses.replace(parts[index], **changes)
    return dataclasses.replace(body, parts=tuple(parts))


def with_joint(body: WalkerBody, index: int, **changes: Any) -> WalkerBody:
    joints = list(body.joints)
    joints[index] = dataclasses.replace(joints[index], **changes)
    return dataclasses.replace(body, joints=tuple(joints))


class TestNamedBodies:
    @pytest.mark.parametrize(
        ("name", "leg", "torque", "penalty", "sizes"),
        [
            ("short", (8, 17), 80, 0.028, (4, 24)),
            ("default", (8, 34), 80, 0.028, (4, 24)),
            ("quadruped", (10, 51), 300, 0.013125, (8, 34)),
        ],
    )
    def test_have_the_published_measures(
        self, name: str, leg: tuple[float, float], torque: float, penalty: float, sizes: tuple[int, int]
    ) -> None:
        body = BODIES[name]
        width, height = leg
        for index, part in enumerate(body.parts[1:]):
            measures = np.ptp(np.array(part.vertices), axis=0) * 30
            np.testing.assert_allclose(measures, (width if index % 2 == 0 else 0.8 * width, height))
            assert part.is_foot == (index % 2 == 1)
        assert body.motor_torque == torque
        assert body.torque_penalty == pytest.approx(penalty)
        assert body.spawn_height * 30 == pytest.approx(2 * height)
        env = StumpTracks(body=name)
        observation, _ = env.reset(seed=0)
        assert (len(env.action_space.sample()), len(observation)) == sizes

    def test_the_quadrupeds_legs_are_where_its_hips_are(self) -> None:
        hips = [joint.parent_anchor[0] * 30 for joint in QUADRUPED.joints[::2]]
        np.testing.assert_allclose(hips, [-57.6, -57.6, 40.8, 40.8])

    @pytest.mark.parametrize("name", sorted(BODIES))
    def test_every_foot_feels_the_ground(self, name: str) -> None:
        # Legs are held stiff and straight despite pushes on the hull: it lands on all its feet.
        env = StumpTracks(stump_height=0.0, obstacle_spacing=(5.9, 6.0), body=name)
        assert isinstance(env.observation_space, Box)
        feet = [k for k, high in enumerate(env.observation_space.high[:-10]) if high == 1.0]
        assert len(feet) == len(BODIES[name].joints) // 2
        touched = np.zeros(len(feet))
        observation, _ = env.reset(seed=0)
        for _ in range(60):
            touched = np.maximum(touched, observation[feet])
            observation, _, terminated, _, _ = env.step(np.ones(len(BODIES[name].joints), np.float32))
            if terminated:
                break
        assert touched.tolist() == [1.0] * len(feet)

    @pytest.mark.parametrize("name", sorted(BODIES))
    def test_effort_costs_its_penalty(self, name: str) -> None:
        env = StumpTracks(body=name)
        env.reset(seed=0)
        action = np.full(len(BODIES[name].joints), 0.5, np.float32)
        before = _potential(env)
        _, reward, _, _, _ = env.step(action)
        gain = _potential(env) - before
        expected = gain - BODIES[name].torque_penalty * 0.5 * len(action)
        assert reward == pytest.approx(expected, abs=1e-6)


def _potential(env: WalkerEnv) -> float:
    assert env._simulation is not None
    x, angle = env._simulation.pose()
    return 130 * x / 30 - 5 * abs(angle)


class TestFourthBody:
    NODE = {  # noqa: RUF012 (a constant)
        "_target_": "chiron.envs.walkers.walker_body.legged_body",
        "name": "hexapod",
        "hull": [[-46, 13], [50, 13], [50, -12], [-46, -12]],
        "hull_width": 96,
        "leg_width": 8,
        "leg_height": 34,
        "hips": [-1.0, 0.0, 1.0],
        "motor_torque": 200.0,
        "torque_penalty": 0.01,
    }

    def test_is_a_node_of_a_configuration(self) -> None:
        env = build({"_target_": "chiron.envs.walkers.stump_tracks.StumpTracks", "body": self.NODE})()
        assert env.action_space.shape == (12,)
        env.reset(seed=0)
        for _ in range(20):
            observation = env.step(np.ones(12))[0]
        assert env.observation_space.contains(observation)

    def test_is_an_instance_of_a_dataclass(self) -> None:
        body = legged_body(**{key: value for key, value in self.NODE.items() if key != "_target_"})  # type: ignore[arg-type]
        assert StumpTracks(body=body).body.name == "hexapod"


HIP = QUADRUPED.joints[0]
PART = BodyPart(((-1, -1), (1, -1), (1, 1), (-1, 1)), (0, 0), 0.0, 1.0, 0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: with_part(QUADRUPED, 2, vertices=((0, 0), (1, 0))), "part 2 has 2 corners"),
        (
            lambda: with_part(QUADRUPED, 0, vertices=((0, 0), (1, 0), (0.1, 0.1), (0, 1))),
            "part 0 is not convex",
        ),
        (lambda: with_part(QUADRUPED, 0, vertices=((0, 0), (1, 1), (1, 0), (0, 1))), "part 0 is not convex"),
        (lambda: with_part(QUADRUPED, 1, density=0.0), "part 1 has density=0.0"),
        (lambda: with_part(QUADRUPED, 8, position=(0.0, -9.0)), "part 8 starts .* m below the ground"),
        (lambda: dataclasses.replace(QUADRUPED, spawn_height=0.5), "below the ground"),
        (lambda: with_part(QUADRUPED, 0, is_hull=False), "needs a hull as first part"),
        (lambda: dataclasses.replace(QUADRUPED, joints=()), "needs a hull as first part, and joints"),
        (lambda: dataclasses.replace(QUADRUPED, joints=QUADRUPED.joints[:-1]), r"parts \[8\] are not joined"),
        (
            lambda: dataclasses.replace(QUADRUPED, parts=(*QUADRUPED.parts, PART)),
            r"parts \[9\] are not joined",
        ),
        (lambda: with_joint(QUADRUPED, 1, child=9), "joint 1 has child=9: parts are numbered 0 to 8"),
        (lambda: with_joint(QUADRUPED, 0, parent=1, child=0), "joint 0 joins part 0 to part 1"),
        (lambda: with_joint(QUADRUPED, 0, lower=2.0), "joint 0 has lower=2 and upper=1.1"),
        (lambda: with_joint(QUADRUPED, 0, max_speed=0.0), "joint 0 has max_speed=0"),
        (
            lambda: with_joint(QUADRUPED, 0, child_anchor=(9.0, 0.0)),
            "joint 0 is hinged 9.00 m from the centre",
        ),
        (lambda: dataclasses.replace(QUADRUPED, motor_torque=0.0), "motor_torque=0.0 must be above 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make: Any, message: str) -> None:
    assert isinstance(HIP, BodyJoint)
    with pytest.raises(ValueError, match=f"body 'quadruped': .*{message}|{message}"):
        make()
