"""The command line as users see it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chiron.envs import StumpTracks
from chiron.envs.vector.action_repeat import ActionRepeat
from chiron.evaluation.task_sets import uniform_tasks
from chiron.runs.evaluation_log import EvaluationLog
from chiron.runs.run_directory import RunDirectory
from chiron.runs.tensorboard_log import GROUPS
from chiron.scripts import train
from chiron.scripts.refusal import BAD_INPUT
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from tests.listing import names_in
from tests.runs.events import Events
from tests.scripts.conftest import SharedRun, only_run

SMALL = [
    "total_steps=2_048",
    "n_envs=4",
    "n_workers=0",
    "evaluation.every_steps=1_024",
    "evaluation.n_tasks=3",
]
"""A run that takes a second or two."""


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "chiron-train"), *arguments]


@pytest.fixture(scope="module")
def finished(shared_run: SharedRun) -> RunDirectory:
    """A small finished run with the defaults."""
    return shared_run("stump_tracks", *SMALL, "student.n_steps=128", "seed=0")


@pytest.mark.medium
class TestWhatARunLeaves:
    def test_directory_says_what_ran(self, finished: RunDirectory) -> None:
        *_, results, study, env, teacher, student, overrides, seed = finished.path.parts
        assert [results, study, env, teacher, student] == [
            "results",
            "main",
            "stump_tracks",
            "alp_gmm",
            "ppo",
        ]
        assert overrides == "every_steps-1024+n_tasks-3+n_envs-4+n_steps-128"
        assert seed == "seed0"

    def test_summary(self, finished: RunDirectory) -> None:
        summary = finished.read_summary()
        assert summary is not None
        evaluations = finished.read_evaluations()
        last = evaluations[evaluations["step"] == evaluations["step"].max()]
        expected = {
            "status": "finished",
            "env": "stump_tracks",
            "teacher": "alp_gmm",
            "student": "ppo",
            "seed": 0,
            "total_steps": 2048,
            "steps": 2048,
            "episodes": len(finished.read_episodes()),
            "mastered_percent": 100 * last["mastered"].mean(),
            "return_mean": pytest.approx(last["return"].mean()),
        }
        assert {key: summary[key] for key in expected} == expected
        assert summary["steps_per_second"] == pytest.approx(2048 / summary["wall_seconds"], rel=0.05)

    def test_evaluations_before_during_and_after_training(self, finished: RunDirectory) -> None:
        evaluations = finished.read_evaluations()
        assert list(evaluations.columns) == [
            *("step", "task_index", "stump_height", "obstacle_spacing", "return", "length", "mastered")
        ]
        assert evaluations.groupby("step").size().to_dict() == {0: 3, 1024: 3, 2048: 3}

    def test_every_training_episode_is_logged(self, finished: RunDirectory) -> None:
        episodes = finished.read_episodes()
        assert (episodes["return"].notna() & (episodes["length"] > 0)).all()
        assert (episodes["step"].diff().dropna() >= 0).all()
        assert set(episodes["source"]) == {"random"}
        space = StumpTracks.task_space()
        assert all(space.contains(task) for task in episodes[space.columns].to_numpy(np.float32))

    def test_saved_model_plays_the_test_tasks_as_the_last_evaluation_says(
        self, finished: RunDirectory
    ) -> None:
        config = finished.read_config()
        assert config is not None
        assert config["student"]["action_repeat"] == 2
        model = PPO.load(finished.model, device="cpu")
        normalizer = VecNormalize.load(str(finished.path / "vec_normalize.pkl"), DummyVecEnv([StumpTracks]))
        last = finished.read_evaluations().groupby("task_index").last()
        columns = StumpTracks.task_space().columns
        task_set = uniform_tasks(StumpTracks.task_space(), 3, seed=0)
        for index, row in last.iterrows():
            assert isinstance(index, int)
            np.testing.assert_array_equal(row[columns].to_numpy(np.float32), task_set.tasks[index])
            env = ActionRepeat(StumpTracks(), 2)
            options = {"task": task_set.tasks[index]}
            observation, _ = env.reset(seed=task_set.seeds[index], options=options)
            total, length, over = 0.0, 0, False
            while not over:
                normalized = normalizer.normalize_obs(observation[None])
                action, _ = model.predict(normalized, deterministic=True)
                observation, reward, terminated, truncated, _ = env.step(action[0])
                total, length, over = total + reward, length + 1, terminated or truncated
            # Batches of another size may round differently, and a walker's fall is chaotic.
            assert length == pytest.approx(row["length"], rel=0.05)
            assert total == pytest.approx(row["return"], abs=5)

    def test_resolved_configuration_and_versions(self, finished: RunDirectory) -> None:
        config = finished.read_config()
        assert config is not None
        assert config["total_steps"] == 2048
        assert config["student"]["vec_normalize"]["gamma"] == config["student"]["gamma"]
        versions = json.loads(finished.versions.read_text())
        assert versions["packages"]["stable-baselines3"].startswith("2.9")

    def test_tensorboard_has_curves_in_five_groups(self, finished: RunDirectory) -> None:
        events = Events(finished.path)
        assert {
            "evaluation/mastered_percent", "evaluation/return_mean", "evaluation/length_mean",
            "evaluation/area_under_curve", "curriculum/alp_mean", "curriculum/random_share",
            "curriculum/mean_stump_height", "curriculum/mean_obstacle_spacing", "episodes/return_mean",
            "episodes/length_mean", "episodes/success_percent", "student/value_loss", "student/entropy_loss",
            "speed/steps_per_second", "speed/evaluation_percent", "speed/playing_percent",
            "speed/learning_percent",
        } <= events.curves  # fmt: skip
        assert {tag.partition("/")[0] for tag in events.curves | events.picture_tags} == set(GROUPS)

    def test_tensorboard_shows_what_the_logs_say(self, finished: RunDirectory) -> None:
        events, episodes = Events(finished.path), finished.read_episodes()
        mastery = finished.read_mastery()
        assert events.curve("evaluation/mastered_percent") == pytest.approx(mastery.to_dict())
        returns = finished.read_evaluations().groupby("step")["return"].mean()
        assert events.curve("evaluation/return_mean") == pytest.approx(returns.to_dict())
        assert len(episodes) <= 100
        for step, value in events.curve("episodes/return_mean").items():
            assert value == pytest.approx(episodes[episodes["step"] <= step]["return"].mean())
        for step, value in events.curve("curriculum/mean_stump_height").items():
            assert value == pytest.approx(episodes[episodes["step"] <= step]["stump_height"].mean())
        assert list(events.pictures("evaluation/mastery")) == [0, 1024, 2048]

    def test_shares_of_time_add_up(self, finished: RunDirectory) -> None:
        events = Events(finished.path)
        shares = [events.curve(f"speed/{name}_percent") for name in ("evaluation", "playing", "learning")]
        for step in shares[0]:
            assert sum(share[step] for share in shares) == pytest.approx(100, abs=0.01)
            assert all(0 <= share[step] <= 100 for share in shares)
        assert all(max(share.values()) > 0 for share in shares[:2])

    def test_hparams_for_tensorboards_table(self, finished: RunDirectory) -> None:
        events, config = Events(finished.path), finished.read_config()
        assert config is not None
        own = {f"teacher.{key}": value for key, value in config["teacher"].items() if key != "_target_"}
        names = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
        env, teacher, *rest = finished.path.parts[-5:]
        group = "/".join([teacher, env, *rest])
        assert {**names, **own, "seed": "0", "group": group}.items() <= events.hparams.items()
        assert {*own, "teacher.max_region_size"} <= {*events.columns}
        assert {"env", "seed", "student", "teacher"} <= {*events.differing}

    def test_figure_is_a_picture(self, finished: RunDirectory) -> None:
        assert finished.figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.medium
class TestVideos:
    @pytest.mark.slow
    def test_videos_of_three_tasks_and_the_same_run(self, chiron_train: Any, tmp_path: Path) -> None:
        runs = {}
        for videos in (True, False):
            arguments = ["env=pendulum", *SMALL, f"results={videos}", f"videos={videos}"]
            arguments += ["total_steps=1_024", "evaluation.every_steps=512", "student.n_steps=128"]
            assert chiron_train(*arguments) == 0
            runs[videos] = only_run(tmp_path / str(videos))
        events = Events(runs[True].path)
        for word in ("easy", "middle", "hard"):
            videos_of = events.pictures(f"evaluation/video_{word}")
            assert list(videos_of) == [0, 512, 1024]
            assert getattr(videos_of[0], "n_frames", 1) > 3
        assert not any("video" in tag for tag in Events(runs[False].path).picture_tags)
        pd.testing.assert_frame_equal(runs[True].read_episodes(), runs[False].read_episodes())

    def test_a_student_without_an_env_is_refused(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train("experiment=toy_grid", "videos=true") == BAD_INPUT
        assert "videos=True needs an env" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


@pytest.mark.medium
class TestRunningAgain:
    def test_same_seed_same_log_other_seed_another(self, chiron_train: Any, tmp_path: Path) -> None:
        def episodes(results: str, seed: int) -> pd.DataFrame:
            shorter = ["total_steps=1_024", "student.n_steps=128", f"results={results}", f"seed={seed}"]
            assert chiron_train(*SMALL, *shorter) == 0
            return only_run(tmp_path / results).read_episodes()

        first = episodes("a", 0)
        assert len(first) > 3
        pd.testing.assert_frame_equal(first, episodes("b", 0))
        assert not first.equals(episodes("c", 1))
        assert (tmp_path / "a").exists()

    def test_the_number_of_workers_does_not_matter(self, chiron_train: Any, tmp_path: Path) -> None:
        runs = []
        for n_workers in (0, 2):
            results = f"results={n_workers}"
            assert chiron_train("debug=smoke", "student.n_steps=128", results, f"n_workers={n_workers}") == 0
            runs.append(only_run(tmp_path / str(n_workers)))
        pd.testing.assert_frame_equal(runs[0].read_episodes(), runs[1].read_episodes())
        pd.testing.assert_frame_equal(runs[0].read_evaluations(), runs[1].read_evaluations())

    def test_a_finished_run_returns_its_stored_result(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        chiron_train("debug=smoke", "n_workers=0", "evaluation.n_tasks=1")
        before = only_run(tmp_path).summary.stat().st_mtime_ns
        capsys.readouterr()
        assert chiron_train("debug=smoke", "n_workers=0", "evaluation.n_tasks=1") == 0
        assert "finished already" in capsys.readouterr().out
        assert only_run(tmp_path).summary.stat().st_mtime_ns == before

    def test_another_configuration_is_refused_with_the_keys_that_differ(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        chiron_train("debug=smoke", "n_workers=0", "evaluation.n_tasks=1")
        run = only_run(tmp_path)
        run.config.write_text(run.config.read_text().replace("fit_rate: 250", "fit_rate: 100"))
        assert chiron_train("debug=smoke", "n_workers=0", "evaluation.n_tasks=1") == BAD_INPUT
        assert "differs in teacher.fit_rate=250 (there: 100)" in capsys.readouterr().err

    def test_a_sweep_keeps_its_jobs_apart(self, chiron_train: Any, tmp_path: Path) -> None:
        sweep = ["teacher=random,alp_gmm", "student.gamma=0.9,0.99", "evaluation.n_tasks=1"]
        assert (
            chiron_train(
                "-m",
                "debug=smoke",
                "n_workers=0",
                "total_steps=100",
                "student.n_steps=64",
                "student.batch_size=64",
                *sweep,
            )
            == 0
        )
        summaries = [json.loads(path.read_text()) for path in tmp_path.rglob("summary.json")]
        assert len(summaries) == 4
        assert {summary["status"] for summary in summaries} == {"finished"}
        assert sorted(summary["teacher"] for summary in summaries) == ["alp_gmm"] * 2 + ["random"] * 2


class TestBadInput:
    @pytest.mark.parametrize(
        ("argument", "sentence"),
        [
            ("teacher=foo", "teacher=foo must be one of accel, adr, "),
            ("env=foo", f"env=foo must be one of {', '.join(names_in('env'))}"),
            ("n_envs=0", "n_envs=0 must be at least 1"),
            ("n_workers=-1", "n_workers=-1 must be at least 0"),
            ("total_steps=-5", "total_steps=-5 must be at least 1"),
            ("seed=-1", "seed=-1 must be at least 0"),
            ("n_envs=many", "n_envs=many must be a whole number"),
            ("evaluation.n_tasks=0", "evaluation.n_tasks=0 must be at least 1"),
            ("env.stump_height=[3,0]", "env=stump_tracks: stump_height: bounds [3, 0] must have low < high"),
            ("env.body=centipede", "body='centipede' must be one of ['default', 'quadruped', 'short']"),
            (
                "+env.moons=2",
                "env=stump_tracks: unknown key 'moons': _target_=chiron.envs.walkers.stump_tracks.",
            ),
            (
                "env.body={_target_:chiron.envs.walkers.walker_body.legged_body,name:plank,hull:[[0,0],[1,1],[1,0],[0,1]],"
                "hull_width:9,leg_width:8,leg_height:34,hips:[0],motor_torque:80,torque_penalty:0.1}",
                "env=stump_tracks: body: body 'plank': part 0 is not convex",
            ),
            ("env._target_=chiron.envs.task_space.TaskSpace", "env=stump_tracks: unknown key 'stump_height'"),
            ("teacher.fit_rate=5", "teacher=alp_gmm: fit_rate=5 must be at least max_gaussians=10"),
            (
                "teacher.fit_rat=5",
                "Could not override 'teacher.fit_rat': the keys there are _target_, fit_rate",
            ),
            ("steps=5", "Could not override 'steps': the keys there are"),
            ("student=sb3", "student._target_ has no default: give student._target_="),
            ("student._target_=nowhere.PPO", "_target_=nowhere.PPO cannot be imported"),
            (
                "+student.wings=2",
                "student=ppo: unknown key 'wings': _target_=chiron.students.fast.fast_ppo.FastPPO takes",
            ),
            ("device=cuda:99", "device=cuda:99 needs a GPU"),
            (
                "student.batch_size=5000",
                "student=ppo: batch_size=5000 must be at most the 4096 transitions that n_steps=128 holds",
            ),
            ("device=tpu", "device=tpu must be auto, cpu, cuda or cuda:N"),
            ("study=", "study='' must be the name of a folder"),
            ("n_envs=[1", "'n_envs=[1' cannot be read"),
        ],
    )
    def test_is_refused_in_one_sentence_with_nothing_written(
        self,
        chiron_train: Any,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        argument: str,
        sentence: str,
    ) -> None:
        assert chiron_train(argument) == BAD_INPUT
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("chiron-train: ")
        assert output.err.count("\n") == 1
        assert sentence in output.err
        assert list(tmp_path.iterdir()) == []

    def test_results_that_cannot_be_a_folder_are_refused(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "taken").touch()
        assert chiron_train("debug=smoke", "n_workers=0", "results=taken") == BAD_INPUT
        assert "taken is not a folder that can be written to" in capsys.readouterr().err

    def test_a_bad_job_of_a_sweep_is_refused_before_the_first_starts(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train("-m", "seed=0,-1") == BAD_INPUT
        assert capsys.readouterr().err == "chiron-train: seed=-1 must be at least 0\n"
        assert list(tmp_path.iterdir()) == []


@pytest.mark.medium
class TestWhatGoesWrong:
    @pytest.mark.slow
    def test_ctrl_c_leaves_a_readable_run(self, tmp_path: Path) -> None:
        with subprocess.Popen(
            command("evaluation.n_tasks=1", "n_envs=4", "student.n_steps=64", "student.batch_size=64"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background jobs, and their children, ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as run:
            assert run.stdout is not None
            while "0 steps:" not in run.stdout.readline():
                assert run.poll() is None
            run.send_signal(signal.SIGINT)
            output, error = run.communicate(timeout=120)
        assert run.returncode == 130
        assert "where its state has been saved; the same command resumes it." in output
        assert error.startswith("Stopping as soon as nothing is lost")
        assert error.count("\n") == 1
        directory = only_run(tmp_path)
        summary = directory.read_summary()
        assert summary is not None
        assert summary["status"] == "interrupted"
        assert len(directory.read_evaluations()) >= 1
        assert summary["episodes"] == 0 or len(directory.read_episodes()) == summary["episodes"]

    def test_a_reward_that_is_not_finite_stops_the_run_and_names_where(
        self,
        chiron_train: Any,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        honest_step = StumpTracks.step
        steps = 0

        def step(self: StumpTracks, action: Any) -> Any:
            nonlocal steps
            steps += 1
            observation, reward, *rest = honest_step(self, action)
            return observation, np.nan if steps == 6_000 else reward, *rest

        monkeypatch.setattr(StumpTracks, "step", step)
        code = chiron_train(
            "total_steps=8_000",
            "n_envs=4",
            "n_workers=0",
            "evaluation.n_tasks=1",
            "student.n_steps=64",
            "student.batch_size=64",
        )
        assert code == train.FAILED
        error = capsys.readouterr().err
        assert "reward nan of slot" in error
        assert "stump_height=" in error
        directory = only_run(tmp_path)
        summary = directory.read_summary()
        assert summary is not None
        assert summary["status"] == "failed"
        assert len(directory.read_episodes()) == summary["episodes"] > 0
        assert "NotFiniteError" in directory.log.read_text()

    def test_an_evaluation_log_that_cannot_be_written_ends_the_run_as_failed(
        self, chiron_train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(EvaluationLog, "on_evaluation", fail)
        with pytest.raises(OSError, match="No space left"):
            chiron_train("debug=smoke", "n_workers=0")
        summary = only_run(tmp_path).read_summary()
        assert summary is not None
        assert summary["status"] == "failed"


def test_help_reads_like_a_manual(chiron_train: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert chiron_train("--help") == 0
    text = capsys.readouterr().out
    for word in ("stump_tracks", "alp_gmm", "random", "ppo", "sac", "total_steps=", "Examples", "results="):
        assert word in text
