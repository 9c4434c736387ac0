"""A teacher as a curriculum term of a manager-based GPU simulator, such as Isaac Lab or mjlab.

Run this file to see it work on the CPU, with a stand-in for such a simulator from this folder:

    python examples/teacher_curriculum_term.py

For a simulator, copy `TeacherCurriculum` into your task and name it in the configuration of the curriculum
manager. An event term of the mode "reset" then reads `env.tasks[env_ids]` and applies it, as `apply_tasks`
does here.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from chiron import BatchCurriculum, Curriculum
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.teachers import ALPGMM

try:
    from isaaclab.managers import ManagerTermBase  # Isaac Lab requires this base class
except ImportError:

    class ManagerTermBase:  # type: ignore[no-redef]
        """Placeholder for simulators that need no base class."""

        def __init__(self, cfg: Any, env: Any) -> None:
            self.cfg, self._env = cfg, env

        def reset(self, env_ids: Any = None) -> None:
            """Called after each reset."""


TASKS = TaskSpace(
    [
        TaskParameter("slope", 0.0, 40.0, default=0.0, unit="°"),
        TaskParameter("friction", 0.1, 2.0, default=0.1),
        TaskParameter("load", 0.0, 20.0, default=0.0, unit="kg"),
    ]
)
"""The parameters that the curriculum varies: any number, each with its range."""


class TeacherCurriculum(ManagerTermBase):
    """Lets a teacher choose the task of every env that is reset. Called by the curriculum manager.

    The manager calls its terms with the envs to reset before it resets anything else, so the reward sums and
    lengths are still those of the episodes that have ended.
    """

    def __init__(self, cfg: Any, env: Any) -> None:
        super().__init__(cfg, env)
        info = EnvInfo(TASKS, return_range=(-0.5, 20.0), mastered_return=10.0)
        curriculum = Curriculum(ALPGMM(TASKS, seed=0), info, seed=0)
        self.batch = BatchCurriculum(curriculum, env.num_envs, env.device)
        env.tasks = self.batch.tasks  # for event and observation terms; updated in place

    def __call__(self, env: Any, env_ids: Any) -> dict[str, float]:
        """Report the episodes that have ended, choose the next tasks, and return values to log."""
        ids = torch.arange(env.num_envs, device=env.device)[env_ids]
        ended = ids[env.episode_length_buf[ids] > 0]  # there is no episode before the first reset
        returns = torch.stack([sums[ended] for sums in env.reward_manager._episode_sums.values()]).sum(dim=0)
        self.batch.tell(
            ended,
            returns,
            success=env.termination_manager.time_outs[ended],
            lengths=env.episode_length_buf[ended],
        )
        self.batch.ask(ids)
        means = zip(TASKS.columns, self.batch.tasks.mean(dim=0).tolist(), strict=True)
        return {**self.batch.curriculum.teacher.metrics(), **dict(means)}


def apply_tasks(env: Any, env_ids: Any) -> None:
    """An event term of the mode "reset": set up envs according to their tasks."""
    slope, friction, load = env.tasks[env_ids].unbind(dim=1)
    env.slope[env_ids] = slope.deg2rad()
    env.friction[env_ids] = friction
    env.mass[env_ids] = 20.0 + load


def main(arguments: list[str] | None = None) -> None:
    """Without training, play with a controller that grows stronger, and print the tasks it gets."""
    from manager_based_stand_in import ManagerBasedEnv  # in the same folder

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-envs", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    env = ManagerBasedEnv(
        options.num_envs,
        options.device,
        curriculum={"teacher": TeacherCurriculum},
        reset_events=[apply_tasks],
    )
    env.reset()
    print(f"{'step':>6} {'episodes':>9} {'gaussians':>9}  mean task")
    for step in range(1, options.steps + 1):
        strength = step / options.steps
        env.step(torch.full((options.num_envs, 1), strength, device=env.device))
        if step % max(options.steps // 10, 1) == 0:
            log = env.extras["log"]
            task = ", ".join(f"{name} {log[f'Curriculum/teacher/{name}']:.2f}" for name in TASKS.columns)
            print(
                f"{step:>6} {env.curriculum_manager.terms['teacher'].batch.curriculum.episodes:>9} "
                f"{log['Curriculum/teacher/gaussians']:>9}  {task}"
            )


if __name__ == "__main__":
    main()
