"""chiron-watch: a student at work, or what the tasks of a world look like."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import hydra
import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.wrappers import RenderCollection
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..analysis.track_sheet import SHEET_SUFFIXES, draw_track_sheet
from ..conf.build import build
from ..conf.watch_schema import LONGEST_VIDEO, check_watch_ranges
from ..envs.task_space import Task, TaskSpace
from ..envs.vector.action_repeat import ActionRepeat
from ..envs.walkers.walker_env import WalkerEnv
from ..evaluation.task_sets import HARDNESS, graded_task
from ..runs.blaming import blaming
from ..runs.drawn_env import draw_without_display, drawn_world, has_display
from ..runs.run_directory import RunDirectory
from ..runs.trained_student import Act, TrainedStudent
from ..runs.video import Frame, require_video, write_video
from .refusal import refuse

_PROGRAM = "chiron-watch"


def main() -> None:
    """Run the command line."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        refuse(ValueError("there is one thing to watch at a time: leave out -m"), _PROGRAM)
    sys.argv[1:] = rejoin_braces(sys.argv[1:])
    try:
        _watch()
    except (HydraException, OmegaConfBaseException) as error:
        refuse(error, _PROGRAM)
    except KeyboardInterrupt:
        sys.exit(130)


def rejoin_braces(arguments: list[str]) -> list[str]:
    """Undo what shells make of `task={a:1,b:2}` without quotes: `task=a:1 task=b:2`."""
    pieces = [argument.removeprefix("task=") for argument in arguments if argument.startswith("task=")]
    if len(pieces) < 2:
        return arguments
    others = [argument for argument in arguments if not argument.startswith("task=")]
    return [*others, f"task={{{','.join(pieces)}}}"]


@hydra.main(version_base="1.3", config_path="pkg://chiron.conf", config_name="watch")
def _watch(config: DictConfig) -> None:
    try:
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        resolved = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
        assert isinstance(resolved, dict)
        wanted = {str(key): value for key, value in resolved.items()}
        check_watch_ranges(wanted)
        (_draw_sheet if wanted["sheet"] else _play)(wanted)
    except (ValueError, DependencyNotInstalled, HydraException, OmegaConfBaseException) as error:
        refuse(error, _PROGRAM)


def _draw_sheet(wanted: Mapping[str, Any]) -> None:
    out = _out(wanted)
    if out is None or out.suffix.lower() not in SHEET_SUFFIXES:
        raise ValueError(f"sheet=true needs out= with a file that ends in one of {', '.join(SHEET_SUFFIXES)}")
    student = _student(wanted)
    world = _make_world(wanted, student, None)
    if not isinstance(world.unwrapped, WalkerEnv):
        raise ValueError(f"sheet=true draws the tracks of walkers, and {world.unwrapped} has none")
    draw_track_sheet(world.unwrapped, out, wanted["seed"])
    print(out)


def _play(wanted: Mapping[str, Any]) -> None:
    out = _out(wanted)
    if out is None:
        _require_display()
    else:
        require_video(out)
        draw_without_display()
    student = _student(wanted)
    times = 1 if student is None else student.action_repeat
    bare = _make_world(wanted, student, "human" if out is None else "rgb_array")
    # Inside the repetition of actions, so that each of the world's own steps is a frame.
    world = ActionRepeat(bare if out is None else RenderCollection(bare), times)
    if wanted["lidar"]:
        if not hasattr(bare.unwrapped, "draw_lidar"):
            raise ValueError(f"lidar=true: {bare.unwrapped} has no lidar")
        bare.unwrapped.draw_lidar = True
    task = _find_task(bare.get_wrapper_attr("task_space"), wanted["task"], wanted["seed"])
    act = _idle(wanted["actions"], world, wanted["seed"]) if student is None else student.policy(world)

    frames_per_second = int(bare.metadata.get("render_fps", 30))
    seconds = wanted["seconds"]
    if out is not None and seconds is None:
        seconds = LONGEST_VIDEO
    most_steps = math.inf if seconds is None else math.ceil(seconds * frames_per_second / times)
    episode = _Episode(world, act, task, wanted["seed"], most_steps)
    try:
        if out is None:
            for _ in episode.steps():
                if _window_is_closed():
                    break
        else:
            write_video(_frames(episode, world), out, frames_per_second)
    finally:
        world.close()
    print(episode)
    if out is not None:
        print(out)


class _Episode:
    """An episode, played as far as it is watched; printed, it says how it went.

    Args:
        world: Where it is played.
        act: Who plays.
        task: The task, shape (d,); None for the world's default.
        seed: Seeds the episode.
        most_steps: After how many steps it is cut off.
    """

    def __init__(
        self, world: gym.Env[Any, Any], act: Act, task: Task | None, seed: int, most_steps: float
    ) -> None:
        self._world = world
        self._act = act
        self._options = {} if task is None else {"task": task}
        self._seed = seed
        self._most_steps = most_steps
        self._return = 0.0
        self._length = 0
        self._end: dict[str, Any] | None = None

    def steps(self) -> Iterator[None]:
        """Play; stops after the reset and after each step."""
        observation, info = self._world.reset(seed=self._seed, options=self._options)
        self._task = info["task"]
        yield
        while self._end is None and self._length < self._most_steps:
            observation, reward, terminated, truncated, info = self._world.step(self._act(observation))
            self._return += float(reward)
            self._length += 1
            if terminated or truncated:
                self._end = info
            yield

    def __str__(self) -> str:
        columns = self._world.get_wrapper_attr("task_space").columns
        task = ", ".join(f"{name}={value:.3g}" for name, value in zip(columns, self._task, strict=True))
        if self._end is None:
            outcome = "cut off before its end"
        elif "is_success" in self._end:
            outcome = "mastered" if self._end["is_success"] else "not mastered"
        else:
            outcome = "ended"
        return f"{task}\nreturn {self._return:.1f} in {self._length:,} steps, {outcome}"


def _frames(episode: _Episode, world: gym.Env[Any, Any]) -> Iterator[Frame]:
    for _ in episode.steps():
        # What RenderCollection has collected since the last time.
        yield from cast("list[Frame]", world.render())


def _out(wanted: Mapping[str, Any]) -> Path | None:
    if wanted["out"] is None:
        return None
    out = Path(wanted["out"])
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ValueError(f"out={out}: {out.parent} is no folder that can be written to")
    return out


def _require_display() -> None:
    if not has_display():
        raise ValueError(
            "there is no display to open a window on: give out=video.gif, video.mp4 or still.png"
        )


def _student(wanted: Mapping[str, Any]) -> TrainedStudent | None:
    if wanted["run"] is None:
        if wanted["env"]["_target_"] is None:
            raise ValueError("env=simulated is no world that can be watched")
        return None
    others = [text for text in HydraConfig.get().overrides.task if text.lstrip("+~").startswith("env")]
    if others:
        raise ValueError(f"{others[0]} and run= exclude each other: a run brings its own world")
    return TrainedStudent(RunDirectory(Path(wanted["run"])))


def _make_world(
    wanted: Mapping[str, Any], student: TrainedStudent | None, render_mode: str | None
) -> gym.Env[Any, Any]:
    node = wanted["env"] if student is None else student.env
    chosen = f"env={HydraConfig.get().runtime.choices['env']}" if student is None else f"run={wanted['run']}"
    with blaming(chosen):
        made: gym.Env[Any, Any] = build(node)() if render_mode is None else drawn_world(node, render_mode)
        return made


def _find_task(space: TaskSpace, wanted: Any, seed: int) -> Task | None:
    if wanted is None:
        return None
    if wanted == "random":
        return space.sample(np.random.default_rng(seed))
    if wanted in list(HARDNESS):
        return graded_task(space, HARDNESS[wanted])
    if isinstance(wanted, str):
        words = ", ".join([*HARDNESS, "random"])
        raise ValueError(f"task={wanted} must be one of {words}, a vector or {{name:value}} of {space.names}")
    with blaming("task"):
        if isinstance(wanted, Mapping):
            wanted = {name: np.asarray(value, np.float32) for name, value in wanted.items()}
        else:
            wanted = np.atleast_1d(np.asarray(wanted, np.float32))
    return space.to_vector(wanted)


def _idle(actions: str, world: gym.Env[Any, Any], seed: int) -> Act:
    """Random actions, or none."""
    world.action_space.seed(seed)
    if actions == "random":
        return lambda observation: world.action_space.sample()
    nothing = np.zeros_like(world.action_space.sample())
    return lambda observation: nothing


def _window_is_closed() -> bool:
    """Whether a person has closed the window of a world that draws with pygame, as Gymnasium's do."""
    pygame = sys.modules.get("pygame")
    return pygame is not None and pygame.display.get_init() and bool(pygame.event.peek(pygame.QUIT))


if __name__ == "__main__":
    main()
