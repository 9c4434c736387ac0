"""Faulty command lines for all commands, groups and keys."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from chiron import conf
from chiron.conf.compose import composed

COMMANDS = ("train", "check", "watch", "evaluate", "compare", "picture", "export")
RUN = "results"
"""Folder with a finished run, for lines of `evaluate`, `compare`, `picture` and `watch`."""
ONE_RUN = f"{RUN}/one"
"""The run itself, for `export`."""

VALUES = (
    *("null", "true", "-1", "0", "1", "2", "2.5", "1e3", "-0.5", "1e14", "2_000_000_000", "nan", "inf"),
    *("''", "text", "'a/../b'", "'[/red]'", "[]", "[1,2]", "[3,1]", "[a,b]", "[[1]]", "{}", "{a:1}"),
    *("{_target_:nowhere.Thing}", "{_target_:builtins.dict}", "'${nowhere}'", "???"),
)
"""Values that every key is given; some are valid for some keys."""
_CHOICES = ("nowhere", "1", "null", "true", "1.5", "''", "[a]", "[1]", "{a:1}", "a/b", "../env", "???", "a b")
_TARGETS = (
    *(
        "nowhere.Thing",
        "chiron.nowhere",
        "math.pi",
        "os.system",
        "builtins.int",
        "gymnasium.Env",
        "null",
        "3",
    ),
    *(
        "stable_baselines3.common.base_class.BaseAlgorithm",
        "stable_baselines3.PPO",
        "chiron.envs.StumpTracks",
    ),
    *("chiron.teachers.ALPGMM", "chiron.teachers.teacher.Teacher", "''", "a b", "."),
)
_MORE_WORK = ("total_steps", "evaluation.every_steps")
"""Keys whose large values are valid but take forever."""
_SMALL_ROLLOUT = {"env": "cart_pole", "+student.n_steps": "16"}
_ALGORITHMS: Mapping[str, Mapping[str, str]] = {
    "stable_baselines3.A2C": _SMALL_ROLLOUT,
    "stable_baselines3.PPO": {**_SMALL_ROLLOUT, "+student.batch_size": "16"},
    "sb3_contrib.TRPO": {**_SMALL_ROLLOUT, "+student.batch_size": "16"},
    **{
        name: {"env": "cart_pole"}
        for name in ("stable_baselines3.DQN", "sb3_contrib.QRDQN", "sb3_contrib.ARS")
    },
    **{f"stable_baselines3.{name}": {"env": "pendulum"} for name in ("SAC", "TD3", "DDPG")},
    **{f"sb3_contrib.{name}": {"env": "pendulum"} for name in ("TQC", "CrossQ")},
}
"""By algorithm, the settings of a small run."""
_SMALL = {"total_steps": "64", "n_envs": "2", "n_workers": "0", "evaluation.n_tasks": "1"}
_SMALL_STUDENT = {
    "ppo": {"student.n_steps": "16", "student.batch_size": "16", "student.n_epochs": "1"},
    "ppo_benchmark": {"student.n_steps": "16", "student.batch_size": "16", "student.n_epochs": "1"},
    **{
        name: {"student.learning_starts": "16", "student.batch_size": "8", "student.buffer_size": "256"}
        for name in ("sac", "fast_sac", "overlapped_sac")
    },
}


@dataclass(frozen=True)
class CommandLine:
    """A command line, and which key is at fault.

    Attributes:
        command: Name of the command, without `chiron-`.
        arguments: Its arguments.
        key: The one key or option whose value may be wrong; "" if several may be, or none.
    """

    command: str
    arguments: tuple[str, ...]
    key: str = ""

    def __str__(self) -> str:
        return " ".join([f"chiron-{self.command}", *self.arguments])


def command_lines(count: int, rng: np.random.Generator) -> list[CommandLine]:
    """Draw command lines, spread evenly over all keys of all commands.

    Args:
        count: Number of lines; fewer if there are not as many.
        rng: Random generator.
    """
    by_key: dict[tuple[str, ...], list[CommandLine]] = {}
    for line in every_line():
        by_key.setdefault((line.command, line.key, *line.arguments[:1]), []).append(line)
    queues = [[lines[i] for i in rng.permutation(len(lines))] for lines in by_key.values()]
    rounds = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
    singles = rounds[: count - count // 10]
    several = [_several_faults(singles, rng) for _ in range(count - len(singles))]
    mixed = [*singles, *several]
    return [mixed[i] for i in rng.permutation(len(mixed))]


def every_line() -> Iterator[CommandLine]:
    """Every command line: each key of each command with each value, and all other faults."""
    for env in names_in("env"):
        simulated = {"student": "toy_grid"} if env == "simulated" else {}
        yield from _in_group("env", env, {"teacher": "random", **simulated})
    for teacher in names_in("teacher"):
        yield from _in_group("teacher", teacher, {"env": "cart_pole"})
    for student in names_in("student"):
        if student == "sb3":
            continue
        is_simulated = ".simulated." in composed(f"student={student}")["student"]["_target_"]
        env = "simulated" if is_simulated else "cart_pole" if "ppo" in student else "pendulum"
        yield from _in_group("student", student, {"env": env, "teacher": "random"})
    yield from _of_algorithms()
    yield from _of_the_run()
    yield from _of_grammar("train", {"env": "cart_pole", "teacher": "random"})
    yield from _of_check_and_watch()
    yield from _of_options()


def names_in(group: str) -> list[str]:
    """The choices of a config group."""
    folder = Path(conf.__path__[0], group)
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))


def _train(given: Mapping[str, str], key: str, *faults: str) -> CommandLine:
    """A faulty command line for a small run."""
    small = {**_SMALL, **_SMALL_STUDENT.get(given.get("student", "ppo"), {}), **given}
    for name in (key, f"+{key}"):
        small.pop(name, None)
    base = [f"{name}={value}" for name, value in small.items() if not name.startswith(f"{key}.")]
    return CommandLine("train", (*base, *faults), key)


def _in_group(group: str, choice: str, others: Mapping[str, str]) -> Iterator[CommandLine]:
    given = {group: choice, **others}
    node = composed(*(f"{name}={value}" for name, value in given.items()))[group]
    for key in _keys(node, group):
        for value in _TARGETS if key.endswith("._target_") else VALUES:
            yield _train(given, key, f"{key}={value}")
        yield _train(given, key, f"~{key}")
    yield _train(given, f"{group}.nonsense", f"+{group}.nonsense=1")
    yield _train(given, f"{group}.nonsense", f"{group}.nonsense=1")
    for value in _CHOICES:
        yield _train({**others}, group, f"{group}={value}")
    yield _train(given, group, f"~{group}")


def _of_algorithms() -> Iterator[CommandLine]:
    for target, small in _ALGORITHMS.items():
        module, _, name = target.rpartition(".")
        given = {**small, "teacher": "random", "student": "sb3", "student._target_": target}
        for argument in inspect.signature(getattr(import_module(module), name)).parameters:
            key = f"student.{argument}"
            for value in VALUES:
                yield _train(given, key, f"{'' if argument == 'policy' else '+'}{key}={value}")
        for key in ("net_arch", "activation_fn", "optimizer_kwargs", "nonsense", "optimizer_class"):
            for value in (*VALUES, "[100000,100000]", "torch.nn.ReLU"):
                key_ = f"student.policy_kwargs.{key}"
                yield _train(given, key_, f"+{key_}={value}")


def _of_the_run() -> Iterator[CommandLine]:
    given = {"env": "cart_pole", "teacher": "random"}
    config = composed()
    for key in _keys({k: v for k, v in config.items() if k not in ("env", "teacher", "student")}, ""):
        for value in VALUES:
            if key in _MORE_WORK and value in ("1e14", "2_000_000_000"):
                continue
            yield _train(given, key, f"{key}={value}")
            yield CommandLine(
                "train", ("-m", *_train(given, key).arguments, f"{key}={value}", "seed=0,1"), key
            )
        yield _train(given, key, f"~{key}")
        yield _train(given, f"{key}x", f"{key}x=1")
    for group in ("callbacks", "launcher", "experiment", "debug"):
        for value in _CHOICES:
            yield _train(given, group, f"{group}={value}")
    yield _train({**given, "debug": "smoke"}, "debug.nonsense", "debug.nonsense=1")
    for value in VALUES:
        yield _train(given, "callbacks.mine", f"+callbacks.mine={value}")
        yield _train(given, "callbacks.mine._target_", f"+callbacks.mine._target_={value}")
        yield _train(given, "evaluation.nonsense", f"+evaluation.nonsense={value}")
        yield _train(given, "threads", f"threads={value}")
        for key in ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.chdir"):
            yield _train(given, key, f"{key}={value}")
    for size in ("threads=40000", "evaluation.n_tasks=2_000_000_000", "n_envs=2_000_000_000"):
        yield _train(given, size.partition("=")[0], size)
    for argument in (
        "seed=1",
        "device=cpu",
        "env=CartPole-v1",
        "_init_setup_model=false",
        "tensorboard_log=x",
    ):
        key = f"student.{argument.partition('=')[0]}"
        yield _train(given, key, f"+student.{argument}")


def _of_grammar(command: str, given: Mapping[str, str]) -> Iterator[CommandLine]:
    """Malformed overrides, flags and sweeps."""
    base = tuple(f"{key}={value}" for key, value in given.items())
    broken = (
        "=3",
        "seed==",
        "seed=[1",
        "seed={1",
        "seed='1",
        "se ed=1",
        "seed",
        "++",
        "+seed",
        "~",
        "seed=1)",
        "@",
    )
    for argument in (
        *broken,
        "seed=range(",
        "seed=choice()",
        "seed=nowhere(1)",
        "seed=1,2",
        "seed=${",
        "a@b=1",
    ):
        yield CommandLine(command, (*base, argument))
        yield CommandLine(command, ("-m", *base, argument))
    flags = ("--nonsense", "-x", "--cfg", "--cfg=nothing", "--config-name=nowhere", "--config-dir=nowhere")
    for flag in (
        *flags,
        "--config-path=nowhere",
        "--info=nothing",
        "--package",
        "--resolve",
        "-s",
        "--run -m",
    ):
        yield CommandLine(command, (*flag.split(), *base))
    yield CommandLine(command, (*base, "--dry-run", "seed=-1"), "seed" if command == "train" else "")
    for sweep in (
        "seed=range(0)",
        "seed=range(1,1)",
        "seed=0,-1",
        "teacher=random,nowhere",
        "env=cart_pole,",
    ):
        yield CommandLine(command, ("-m", *base, sweep))
    for launcher in ("slurm", "ray", "joblib"):
        yield CommandLine(command, ("-m", *base, f"launcher={launcher}", "seed=0,-1"))


def _of_check_and_watch() -> Iterator[CommandLine]:
    for command, base in (("check", ()), ("watch", ("out=still.png", "seconds=0.1"))):
        for env in ("cart_pole", "stump_tracks", "pendulum"):
            for key in _keys(composed(f"env={env}")["env"], "env"):
                for value in _TARGETS if key.endswith("._target_") else VALUES:
                    yield CommandLine(command, (f"env={env}", *base, f"{key}={value}"), key)
                yield CommandLine(command, (f"env={env}", *base, f"~{key}"), key)
        for value in _CHOICES:
            yield CommandLine(command, (*base, f"env={value}"), "env")
        yield from _of_grammar(command, {"env": "cart_pole"})
    for key in ("run", "task", "actions", "seed", "seconds", "lidar", "sheet", "out"):
        given = {"env": "pendulum", "out": "still.png", "seconds": "0.1"}
        given.pop(key, None)
        if key == "run":
            given.pop("env")
        for value in (*VALUES, "nowhere/x.gif", "x.nowhere", "easy", "{mass:[1]}", "[9,9,9]", RUN, "/"):
            arguments = (*(f"{name}={text}" for name, text in given.items()), f"{key}={value}")
            yield CommandLine("watch", arguments, key)
        yield CommandLine("watch", (*(f"{name}={text}" for name, text in given.items()), f"~{key}"), key)


def _of_options() -> Iterator[CommandLine]:
    """Faulty lines of the commands that take folders and options."""
    options = {
        "evaluate": ("--on", "--episodes", "--workers"),
        "compare": ("--baseline", "--out", "--allow"),
        "picture": (),
        "export": ("--out", "--best", "--trust"),
    }
    values = (
        "",
        "nowhere",
        "-1",
        "0",
        "2.5",
        "1e14",
        "99999999999",
        "nan",
        "/",
        RUN,
        "a.csv",
        "[/red]",
        "/dev/null",
    )
    for command, names in options.items():
        given = ONE_RUN if command == "export" else RUN
        folders = ("nowhere", "", "/dev/null", ".", "/proc/self/mem", "a\nb", "x" * 300, f"{RUN}/..", "~")
        for folder in folders:
            yield CommandLine(command, (folder,))
            yield CommandLine(command, (given, folder))
        yield CommandLine(command, ())
        for flag in ("--nonsense", "-x", "--on=", "--out", "--help=3"):
            yield CommandLine(command, (given, flag))
        for name in names:
            for value in values:
                yield CommandLine(command, (given, f"{name}={value}"), name)
            yield CommandLine(command, (given, name), name)


def _keys(node: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Dotted keys of everything in a configuration, mappings included."""
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else name
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value, key)


def _several_faults(lines: Sequence[CommandLine], rng: np.random.Generator) -> CommandLine:
    """A line that combines the faults of two lines of one command."""
    first = lines[int(rng.integers(len(lines)))]
    others = [line for line in lines if line.command == first.command and line.arguments]
    second = others[int(rng.integers(len(others)))]
    return CommandLine(first.command, (*first.arguments, second.arguments[-1]))
