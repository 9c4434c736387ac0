"""An untrusted results folder: real payloads, none of which is executed."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from chiron.envs.importing import import_named, trusting
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT, LEFT_OUT

from tests.commands import Finished, run_here
from tests.scripts.conftest import SharedRun
from tests.scripts.test_damaged_finished_runs import TINY

pytestmark = pytest.mark.medium

PLAYING = {
    "evaluate": ["run", "--workers", "0", "--on", "mine.csv"],
    "watch": ["run=run", "out=still.png", "seconds=0.1"],
}
COMMANDS = PLAYING | {"compare": ["run", "--out", "out"], "picture": ["run"]}


class Payload:
    """Unpickling it makes a folder where the test looks for it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The folder that a payload makes, which must not exist at the end."""
    return tmp_path / "executed"


@pytest.fixture
def run(shared_run: SharedRun, tmp_path: Path, blank_figures: None) -> RunDirectory:
    """An untrusted run, whose summary agrees with whatever has been put into its files."""
    shutil.copytree(shared_run("damaged_seed0", *TINY, "seed=0").path, tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    tasks = directory.read_evaluations().drop(columns=["step", "task_index", "return", "length", "mastered"])
    tasks.iloc[:2].to_csv(tmp_path / "mine.csv", index=False)
    return directory


def sign(run: RunDirectory) -> None:
    summary = run.read_summary()
    assert summary is not None
    run.write_summary({key: value for key, value in summary.items() if key != "files"})


def give(run: RunDirectory, command: str, *more: str) -> Finished:
    """Run a command on the untrusted run."""
    return run_here(run.path.parent, f"chiron-{command}", *COMMANDS[command], *more)


def change_config(run: RunDirectory, **changes: Any) -> None:
    """Replace parts of a configuration, given by dotted keys, with two underscores for a dot."""
    config = yaml.safe_load(run.config.read_text())
    for key, value in changes.items():
        node = config
        *path, last = key.split("__")
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    run.config.write_text(yaml.safe_dump(config))
    sign(run)


def as_payload(kind: str, mark: Path) -> bytes:
    """A file of some kind that executes something when it is unpickled."""
    pickled: bytes = cloudpickle.dumps(Payload(mark))
    content = io.BytesIO()
    if kind == "pickle":
        return pickled
    if kind == "npy":
        np.save(content, np.array([Payload(mark)], dtype=object), allow_pickle=True)
    elif kind == "npz":
        arrays: dict[str, Any] = {"observation/mean": np.array([Payload(mark)], dtype=object)}
        np.savez(content, allow_pickle=True, **arrays)
    elif kind == "torch":
        torch.save(Payload(mark), content)
    elif kind == "parquet":
        name = {b"ARROW:extension:name": b"arrow.py_extension_type"}
        extension = name | {b"ARROW:extension:metadata": pickled}
        schema = pa.schema([pa.field("step", pa.int64(), metadata=extension)])
        pq.write_table(pa.table({"step": [1]}, schema=schema), content)
    return content.getvalue()


def with_member(archive: Path, name: str, data: bytes) -> None:
    """Replace a member of a zip archive."""
    with zipfile.ZipFile(archive) as old:
        members = {each: old.read(each) for each in old.namelist()}
    with zipfile.ZipFile(archive, "w") as new:
        for each, content in (members | {name: data}).items():
            new.writestr(each, content)


def put_in_model_data(run: RunDirectory, mark: Path) -> None:
    with zipfile.ZipFile(run.model) as archive:
        data = json.loads(archive.read("data"))
    for key in ("policy_class", "lr_schedule", "observation_space", "num_timesteps"):
        if isinstance(data.get(key), dict):
            data[key][":serialized:"] = base64.b64encode(as_payload("pickle", mark)).decode()
    with_member(run.model, "data", json.dumps(data).encode())


def put_in_model_tensors(run: RunDirectory, mark: Path) -> None:
    with_member(run.model, "policy.pth", as_payload("torch", mark))


def put_pickle_for_tensors(run: RunDirectory, mark: Path) -> None:
    with_member(run.model, "policy.pth", as_payload("pickle", mark))


def put_in_file(name: str, kind: str) -> Callable[[RunDirectory, Path], None]:
    def put(run: RunDirectory, mark: Path) -> None:
        (run.path / name).write_bytes(as_payload(kind, mark))

    return put


def put_in_yaml(run: RunDirectory, mark: Path) -> None:
    run.config.write_text(f"{run.config.read_text()}\nevil: !!python/object/apply:os.mkdir ['{mark}']\n")


PAYLOADS: dict[str, Callable[[RunDirectory, Path], None]] = {
    "pickles in the model's data": put_in_model_data,
    "a pickle as the model's tensors": put_in_model_tensors,
    "a bare pickle as the model's tensors": put_pickle_for_tensors,
    "vec_normalize.pkl": put_in_file("vec_normalize.pkl", "pickle"),
    "normalization.npz": put_in_file("normalization.npz", "npz"),
    "normalization.npz, a bare array": put_in_file("normalization.npz", "npy"),
    "competence.npy": put_in_file("competence.npy", "npy"),
    "episodes": put_in_file("episodes/part-00000.parquet", "parquet"),
    "a pickle as episodes": put_in_file("episodes/part-00000.parquet", "pickle"),
    "a pickle as evaluations": put_in_file("evaluations.csv", "pickle"),
    "TensorBoard's events": put_in_file("events.out.tfevents.1.evil", "pickle"),
    "a checkpoint": put_in_file("checkpoints.npz", "npz"),
    "a tag in config.yaml": put_in_yaml,
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_is_executed(payload: str, run: RunDirectory, mark: Path) -> None:
    PAYLOADS[payload](run, mark)
    sign(run)
    for command in COMMANDS:
        finished = give(run, command)
        assert finished.returncode in (0, BAD_INPUT, LEFT_OUT), (command, finished)
        assert "Traceback" not in finished.stderr + finished.stdout
        assert not mark.exists(), command


def test_payloads_would_be_executed(mark: Path) -> None:
    """By whom it is unpickled; otherwise these tests would show nothing."""
    cloudpickle.loads(as_payload("pickle", mark))
    assert mark.exists()


MODULE = """
from pathlib import Path
import gymnasium as gym
Path({mark!r}).mkdir(exist_ok=True)
def make(**arguments): raise RuntimeError("executed")
def derive(env): raise RuntimeError("executed")
gym.register("Evil-v0", entry_point="evil_module:make")
"""
EVIL = "evil_module"
NAMES: dict[str, dict[str, Any]] = {
    "the env's class": {"env": {"_target_": f"{EVIL}.make"}},
    "a function of the system as env": {"env": {"_target_": "os.mkdir", "path": "executed"}},
    "a function that an allowed module imports": {
        "env": {"_target_": "gymnasium.envs.registration.importlib.import_module", "name": EVIL}
    },
    "a class that imports": {
        "env__env_id": {
            "_target_": "gymnasium.envs.registration.EnvSpec", "id": "A-v0", "entry_point": f"{EVIL}:make",
        }
    },
    "the id's module": {"env__env_id": f"{EVIL}:Evil-v0"},
    "the id as an import path": {"env__env_id": f"{EVIL}.make"},
    "after_setting": {"env__after_setting": f"{EVIL}.derive"},
    "after_setting of the system": {"env__after_setting": "os.system"},
    "after_setting of an allowed module": {"env__after_setting": "chiron.envs.registration.importlib.reload"},
    "wrappers": {"env__wrappers": [f"{EVIL}.make"]},
    "a wrapper that writes": {
        "env__wrappers": [
            {"_target_": "gymnasium.wrappers.RecordVideo", "video_folder": "executed", "_partial_": True}
        ]
    },
    "something nested in the env": {"env__arguments": {"x": {"_target_": f"{EVIL}.make"}}},
    "a file that the env reads": {"env__arguments": {"xml_file": "/etc/passwd"}},
    "the student's class": {"student___target_": f"{EVIL}.make"},
    "a class that is not a student": {"student___target_": "stable_baselines3.common.logger.CSVOutputFormat"},
    "the student's policy": {"student__policy": f"{EVIL}.make"},
    "the policy's activation": {"student__policy_kwargs": {"activation_fn": f"{EVIL}.make"}},
    "the policy's optimizer": {"student__policy_kwargs": {"optimizer_class": f"{EVIL}.make"}},
    "a schedule": {"student__learning_rate": {"_target_": f"{EVIL}.make"}},
    "a writer as schedule": {
        "student__learning_rate": {
            "_target_": "stable_baselines3.common.logger.HumanOutputFormat", "filename_or_file": "executed",
        }
    },
}  # fmt: skip
"""Changes of a configuration that would cause an import or a call."""


@pytest.fixture
def evil_module(tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed module that leaves a mark when it is imported."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / f"{EVIL}.py").write_text(MODULE.format(mark=str(mark)))
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(__import__("sys").modules, EVIL, raising=False)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("evil_module")
def test_nothing_is_imported_or_called_that_is_not_trusted(name: str, run: RunDirectory, mark: Path) -> None:
    change_config(run, **NAMES[name])
    for command in PLAYING:
        finished = give(run, command)
        assert finished.returncode == BAD_INPUT, (command, finished)
        assert "trust" in finished.stderr, (command, finished.stderr)
        assert not mark.exists(), command


@pytest.mark.usefixtures("evil_module")
def test_what_the_user_trusts_is_executed(run: RunDirectory, mark: Path) -> None:
    change_config(run, env__env_id=f"{EVIL}:CartPole-v1")
    assert give(run, "evaluate", "--trust", "another").returncode == BAD_INPUT
    assert not mark.exists()
    finished = give(run, "evaluate", "--trust", EVIL)
    assert finished.returncode == 0, finished.stderr
    assert mark.exists()
    assert give(run, "watch", f"trust=[{EVIL}]").returncode == 0


@pytest.mark.parametrize("path", ["unwrapped.__class__.gravity", "unwrapped.reset.__globals__[os]"])
def test_paths_do_not_lead_out_of_an_env(path: str, run: RunDirectory) -> None:
    change_config(run, env__parameters__gravity={"attribute": path, "value": [5.0, 20.0]})
    for command in PLAYING:
        finished = give(run, command)
        assert finished.returncode == BAD_INPUT
        assert "two underscores" in finished.stderr


def test_only_classes_of_their_own_modules_are_imported() -> None:
    with trusting([]):
        assert import_named("torch.nn.ReLU") is torch.nn.ReLU
        assert issubclass(import_named("stable_baselines3.PPO"), object)
        for path in (
            "torch.load", "torch.hub.load", "torch.nn.Module.__init__", "torch.nn.init.math.exp",
            "builtins.eval",
            "chiron.runs.whole_files.AppendFile", "stable_baselines3.common.utils.os.system", "pickle.loads",
            "gymnasium.wrappers.RecordVideo", "stable_baselines3.common.monitor.Monitor", "gymnasium.make",
        ):  # fmt: skip
            with pytest.raises(ValueError, match="trust"):
                import_named(path)
    assert import_named("gymnasium.make") is gym.make
