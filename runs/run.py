"""One run: trains a student on a curriculum and saves its results."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.logger import Logger

from ..envs.finite import NotFiniteError
from ..evaluation.evaluation import Evaluation
from ..students.student import Student
from ..teachers.curriculum import Curriculum
from . import stop_signals
from .checkpoints import Checkpoint
from .disk_error import disk_errors_said
from .failures import now, process_facts, record_failure, sentence_of, write_traceback
from .holding import Holding, holding, remove_drawn, remove_results
from .run_directory import RunDirectory
from .run_lock import RunLock
from .settings import RunSettings
from .whole_files import FileRecord, flush

if TYPE_CHECKING:
    from ..teachers.episode import Episode


class RunCallback:
    """Base class for callbacks on the events of a run. By default every method does nothing.

    A callback owns the files it writes. State that it needs to resume exactly is returned by `state_dict`,
    which is part of the run's checkpoints; `load_state_dict` is called before `on_start` when a run is
    resumed.
    """

    def on_start(self, run: Run) -> None:
        """Training is about to start, or to be resumed if `run.is_resumed`."""

    def on_step(self, run: Run) -> None:
        """Every env has made one step, or a simulated student has finished one episode."""

    def on_episode(self, run: Run, episode: Episode) -> None:
        """An episode has ended; the teacher has not received its result yet."""

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        """The student has been evaluated."""

    def on_rollout_start(self, run: Run) -> None:
        """A rollout begins: the run's state is complete, so `run.save_checkpoint()` may be called."""

    def on_checkpoint(self, run: Run) -> None:
        """A checkpoint is about to be saved: write all pending data."""

    def files(self, run: Run) -> Mapping[Path, FileRecord]:
        """Records of the files in the run directory that the checkpoint being saved depends on.

        A checkpoint is used only if these files still begin with their recorded content. A resumed run has
        the records in `run.counted_on`, so that callbacks can truncate what was written later.
        """
        return {}

    def on_training_end(self, run: Run) -> None:
        """Training is over, however it ended: write all pending data and close files."""

    def on_end(self, run: Run) -> None:
        """Training has reached its budget and everything is written."""

    def on_finished_already(self, run: Run) -> None:
        """The run had already finished; no other event follows."""

    def state_dict(self) -> dict[str, Any]:
        """The state of the callback: nested dicts and lists of JSON values and arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""


class Run:
    """Trains a student on a curriculum and writes the results to a directory.

    A run only controls the order of events: the student implements learning, callbacks write files.
    Constructing one writes nothing.

    Args:
        student: The student to train.
        curriculum: The curriculum to train it on.
        settings: Budget, seeds, evaluations and checkpoints.
        directory: Run directory. If it holds a checkpoint of this run, the run is resumed.
        callbacks: Callbacks by name; called in this order.
        config: The configuration to write to `config.yaml`.
        names: Names of `env`, `teacher` and `student`.

    Attributes:
        evaluation: The latest evaluation; None before the first.
        is_resumed: Whether `execute` has found a checkpoint and resumes from it.
        counted_on: Records of files as of the checkpoint that the run is resumed from; see
            `RunCallback.files`.
        logger: The Stable-Baselines3 logger that curves are recorded to. Callbacks add outputs to it.
        notices: Warnings about the checkpoint that the run is resumed from, one sentence each.
        evaluation_seconds: Seconds this process has spent in evaluations, callbacks included.
        said: Dotted keys of the settings that the user has set, for tables of runs; none by default.
    """

    def __init__(
        self,
        student: Student,
        curriculum: Curriculum,
        settings: RunSettings,
        directory: RunDirectory | Path | str,
        callbacks: Mapping[str, RunCallback],
        config: Mapping[str, Any],
        names: Mapping[str, str],
    ) -> None:
        self.student = student
        self.curriculum = curriculum
        self.settings = settings
        self.directory = directory if isinstance(directory, RunDirectory) else RunDirectory(Path(directory))
        self.callbacks = dict(callbacks)
        self.config = dict(config)
        self.names = dict(names)
        self.logger = Logger(None, [])
        self.evaluation: Evaluation | None = None
        self.evaluation_seconds = 0.0
        self.is_resumed = False
        self.counted_on: Mapping[Path, FileRecord] = {}
        self.notices: list[str] = []
        self.said: Sequence[str] = ()
        self._last: dict[str, Any] = {"step": -1, "mastered_percent": None, "return_mean": None}
        self._budgets = [settings.total_steps]
        self._seconds = 0.0
        self._started = 0.0
        self._began = now()

    @property
    def steps(self) -> int:
        """Training steps so far."""
        return self.student.steps

    def execute(self) -> dict[str, Any]:
        """Train to the end of the budget and write all results to the directory.

        If the directory holds a checkpoint, the run is resumed from it as if it had never stopped; without
        one, files of an earlier attempt are removed; a finished run is left unchanged, or continued if its
        budget was smaller. However training ends, the directory then holds everything logged and a summary
        that says how it ended; exceptions are re-raised. After Ctrl-C or SIGTERM the run saves its state at
        the start of the next rollout and raises KeyboardInterrupt; after a second one it stops at once.

        Returns:
            The content of `summary.json`.

        Raises:
            DirectoryBusyError: If another process is using the directory.
            NotOwnDirectoryError: If the directory holds something other than this run.
            CheckpointError: If the directory holds checkpoints but none can be used.
            DiskError: If its files can no longer be read or written.
        """
        try:
            with stop_signals.heard(raise_from=2), disk_errors_said(self.directory.path):
                if stop_signals.times_asked():
                    raise KeyboardInterrupt("stopped before it began")
                # Checked before anything (even the lock file) is written, and again under the lock.
                holding(self.directory, self.config)
                with RunLock(self.directory.lock):
                    return self._execute_locked()
        finally:
            self.student.close()

    def _execute_locked(self) -> dict[str, Any]:
        held = holding(self.directory, self.config)
        if held.kind == "finished":
            self._call("on_finished_already")
            return held.summary or {}
        # Read before anything is written: a finished run that cannot be continued must not change.
        has_checkpoint = held.kind == "checkpoint"
        checkpoint, self.notices = self.directory.newest_checkpoint() if has_checkpoint else (None, [])
        try:
            with disk_errors_said(self.directory.path):
                self._start_or_resume(held, checkpoint)
        except Exception as error:
            record_failure(self.directory, error)
            raise
        status, failure = "failed", None
        with ExitStack() as at_the_end:
            # Called in reverse order, each even if another fails.
            at_the_end.callback(lambda: self._write_summary(status, failure))
            try:
                with disk_errors_said(self.directory.path):
                    self._train()
                    status = "finished"
                    self._call("on_end")
            except KeyboardInterrupt:
                if status == "finished":
                    raise KeyboardInterrupt("training has finished, but not all is drawn") from None
                status = "interrupted"
                raise
            except Exception as error:
                status, failure = "failed", error
                raise
        if self.settings.checkpoint.keep_last:
            self.directory.keep_last_checkpoint()
        else:
            self.directory.drop_checkpoints()
        return self.directory.read_summary() or {}

    def _start_or_resume(self, held: Holding, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None:
            running = {"status": "running", "error": None, **process_facts(), "ended": None}
            self.directory.write_summary({**(held.summary or {}), **running})
            self.directory.log.unlink(missing_ok=True)
            self._load(checkpoint)
            self._take_over_budget(checkpoint.state)
        else:
            remove_results(self.directory)
            self.directory.begin(self.config)
            self._write_summary("running", None)
        self._call("on_start")
        self.curriculum.listeners.append(self._on_episode)
        self._started = time.monotonic() - self._seconds
        self._write_summary("running", None)

    def _take_over_budget(self, state: Mapping[str, Any]) -> None:
        """Adopt the new budget if the state was saved with a different one."""
        self._budgets = state.get("budgets", [(self.directory.read_config() or {}).get("total_steps")])
        if self._budgets[-1] == self.settings.total_steps:
            return
        scheduled = self.student.scheduled
        if scheduled:
            self.notices.append(
                f"{', '.join(scheduled)} changes over total_steps, which was {self._budgets[-1]} until here: "
                f"a run with total_steps={self.settings.total_steps} from the start has other results"
            )
        self._budgets = [*self._budgets, self.settings.total_steps]
        remove_drawn(self.directory)
        self.directory.write_config(self.config)

    def _load(self, checkpoint: Checkpoint) -> None:
        self.is_resumed, self.counted_on, state = True, checkpoint.files, checkpoint.state
        self.notices += self.directory.version_notices()
        self._seconds, self._last = state["seconds"], state["evaluation"]
        for name, callback in self.callbacks.items():
            if name in state["callbacks"]:
                callback.load_state_dict(state["callbacks"][name])
        self.curriculum.load_state_dict(state["curriculum"])
        self.student.load_state_dict(state["student"])

    def _train(self) -> None:
        with ExitStack() as after_training:
            after_training.callback(self._stop_the_clock)
            after_training.callback(self._save_student)
            for callback in reversed(self.callbacks.values()):
                after_training.callback(callback.on_training_end, self)
            try:
                self.student.learn(self.settings.total_steps, self, self.logger)
            except NotFiniteError as error:
                parts = " ".join(f"{group}={name}" for group, name in self.names.items())
                raise NotFiniteError(f"{parts}: {error}") from error
        # A summary that says "finished" must reach the disk after all files it refers to.
        for path in self._files():
            flush(path)

    def on_training_start(self) -> None:
        """Called by the student: evaluate it before it has learned anything."""
        if stop_signals.times_asked():
            # Nothing has been learned since the beginning, or since the checkpoint.
            raise KeyboardInterrupt(f"stopped at {self.steps:,} steps")
        if self._last["step"] < 0:
            self._evaluate()

    def on_step(self) -> None:
        """Called by the student after each step: evaluate it if that is due."""
        if stop_signals.times_asked() > 1:
            # Compiled code that calls Python swallows the KeyboardInterrupt of a signal.
            raise KeyboardInterrupt("stopped at once")
        every, tested = self.settings.evaluation.every_steps, self._last["step"]
        # After the last step the student may still have data to learn from; the final evaluation comes then.
        if self.steps // every > tested // every and self.steps < self.settings.total_steps:
            self._evaluate()
        self._call("on_step")

    def on_rollout_start(self) -> None:
        """Called by the student whenever its state is complete."""
        self._call("on_rollout_start")
        if stop_signals.times_asked():
            self.save_checkpoint()
            raise KeyboardInterrupt(f"stopped at {self.steps:,} steps, where its state has been saved")

    def on_training_end(self) -> None:
        """Called by the student when the budget is used up."""
        if self.steps > self._last["step"]:
            self._evaluate()

    def _on_episode(self, episode: Episode) -> None:
        for callback in self.callbacks.values():
            callback.on_episode(self, episode)

    def _evaluate(self) -> None:
        started = time.perf_counter()
        evaluation = self.student.evaluate()
        for name in ("mastered_percent", "return_mean"):
            if not math.isfinite(getattr(evaluation, name)):
                raise NotFiniteError(f"{name} is not finite in the evaluation at {evaluation.step} steps")
        self.evaluation = evaluation
        self._last = {
            "step": evaluation.step,
            "mastered_percent": evaluation.mastered_percent,
            "return_mean": evaluation.return_mean,
        }
        for callback in self.callbacks.values():
            callback.on_evaluation(self, evaluation)
        self.evaluation_seconds += time.perf_counter() - started

    def _call(self, event: str) -> None:
        for callback in self.callbacks.values():
            getattr(callback, event)(self)

    def save_checkpoint(self) -> None:
        """Save the state of the run so that it can be resumed; valid only in `on_rollout_start`."""
        self._call("on_checkpoint")
        state = {
            "seconds": time.monotonic() - self._started,
            "budgets": self._budgets,
            "evaluation": self._last,
            "curriculum": self.curriculum.state_dict(),
            "student": self.student.state_dict(),
            "callbacks": {name: callback.state_dict() for name, callback in self.callbacks.items()},
        }
        self.directory.keep_checkpoint(Checkpoint(self.steps, state, self._files()))

    def _files(self) -> dict[Path, FileRecord]:
        return {path: record for each in self.callbacks.values() for path, record in each.files(self).items()}

    def _save_student(self) -> None:
        with tempfile.TemporaryDirectory(prefix=".student-", dir=self.directory.path) as folder:
            self.student.save(Path(folder))
            for file in Path(folder).iterdir():
                flush(file)
                file.replace(self.directory.path / file.name)

    def _stop_the_clock(self) -> None:
        self._seconds = time.monotonic() - self._started

    def _write_summary(self, status: str, failure: Exception | None) -> None:
        if failure is not None:
            write_traceback(self.directory, failure)
        seconds = self._seconds
        self.directory.write_summary(
            {
                "status": status,
                **self.names,
                "seed": self.settings.seed,
                "total_steps": self.settings.total_steps,
                "budgets": self._budgets,
                "steps": self.steps,
                "episodes": self.curriculum.episodes,
                "mastered_percent": self._last["mastered_percent"],
                "return_mean": self._last["return_mean"],
                "wall_seconds": round(seconds, 2),
                "steps_per_second": round(self.steps / seconds, 1) if seconds else 0.0,
                "error": None if failure is None else sentence_of(failure),
                "units": self.curriculum.space.units,
                **process_facts(),
                "began": self._began,
                "ended": None if status == "running" else now(),
            }
        )
