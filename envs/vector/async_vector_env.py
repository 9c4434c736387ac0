"""Several envs stepped by worker processes, which exchange arrays through shared memory."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.util import Finalize
from typing import Any, NoReturn

import cloudpickle
import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .env_error import EnvError
from .infos import InfosAsTheyAre
from .shared_batch import SharedBatch
from .sync_vector_env import EnvFn

_MAKE, _STEP, _RESET, _CALL, _SET = b"m", b"s", b"r", b"c", b"a"
_DONE, _RESULT, _FAILED = b"d", b"o", b"f"
_BARE = frozenset({_STEP, _DONE})
"""Messages of a single byte; others continue with pickled content."""
_NO_SEED = -1
_STARTUP_SECONDS = 120.0
_AWAKE_SECONDS = 0.0005
"""How long workers wait for a message before they sleep; a virtual core takes 0.1 to 0.3 ms to wake up."""


class WorkerError(EnvError):
    """A worker process died or hung."""


class AsyncTaskVectorEnv(InfosAsTheyAre, VectorEnv[Any, Any, Any]):
    """Envs distributed over processes, each of which steps its share one after another.

    Actions, observations, rewards, flags, tasks and seeds are in shared memory; a step takes one short
    message per worker and direction. Only infos are pickled. Slots are never reset automatically, and rest
    until they are reset. The results are those of `SyncTaskVectorEnv`, bit for bit.

    Processes are spawned, so a script that uses workers needs the usual `if __name__ == "__main__":`. They
    end with the process that started them, however it ends, and leave nothing behind.

    Args:
        env_fns: One function per slot, each making a new environment; may be lambdas and closures.
        n_workers: Number of processes; at most one per slot is used.
        patience: Seconds after which a worker that does not answer counts as hung.

    Raises:
        ValueError: If there are no environments or no workers.
        EnvError: If a worker cannot make its envs.
    """

    def __init__(self, env_fns: Sequence[EnvFn], n_workers: int, patience: float = 30.0) -> None:
        if not env_fns:
            raise ValueError("AsyncTaskVectorEnv needs at least one environment, got none")
        if n_workers < 1:
            raise ValueError(f"n_workers={n_workers} must be at least 1")
        self.num_envs = len(env_fns)
        self._patience = patience
        self._shares = [share for share in np.array_split(np.arange(self.num_envs), n_workers) if share.size]
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []
        self._pollers: list[select.poll] = []

        probe = env_fns[0]()
        self.single_observation_space = probe.observation_space
        self.single_action_space = probe.action_space
        self.observation_space = batch_space(probe.observation_space, self.num_envs)
        self.action_space = batch_space(probe.action_space, self.num_envs)
        self.metadata = {**probe.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.render_mode = probe.render_mode
        context = multiprocessing.get_context("spawn")
        self._batch = SharedBatch(context, self.num_envs, probe)
        probe.close()
        # Workers ignore SIGTERM, which multiprocessing sends at exit to those that have not been closed.
        Finalize(self, _kill, (self._processes,), exitpriority=0)
        try:
            self._start(context, env_fns)
        except BaseException:
            self.close()
            raise

    def _start(self, context: SpawnContext, env_fns: Sequence[EnvFn]) -> None:
        for share in self._shares:
            ours, theirs = context.Pipe()
            makers = cloudpickle.dumps(([env_fns[slot] for slot in share],))
            process = context.Process(
                target=_work, args=(theirs, self._batch, share.tolist(), makers), daemon=True
            )
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)
            # Faster than Connection.poll, which makes a new selector at every call.
            poller = select.poll()
            poller.register(ours.fileno(), select.POLLIN)
            self._pollers.append(poller)
        for worker in range(len(self._pipes)):
            self._receive(worker, _STARTUP_SECONDS)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Reset some slots, each into its own task; like `SyncTaskVectorEnv.reset`."""
        options = dict(options or {})
        mask = options.pop("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        if seed is None or isinstance(seed, int):
            seed = [None if seed is None else seed + slot for slot in range(self.num_envs)]
        self._batch.mask[:] = mask
        self._batch.terminated[mask] = self._batch.truncated[mask] = False
        self._batch.seeds[:] = [_NO_SEED if value is None else value for value in seed]
        has_task = "task" in options
        if has_task:
            self._batch.tasks[:] = options.pop("task")
        message = _RESET + pickle.dumps((has_task, options))
        concerned = {worker: message for worker, share in enumerate(self._shares) if mask[share].any()}
        infos = self._gather_infos(self._ask(concerned))
        return self._batch.copy_observations(), infos

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step every slot that is not resting."""
        batch = self._batch
        batch.actions[:] = actions
        infos = self._gather_infos(self._ask(dict.fromkeys(range(len(self._pipes)), _STEP)))
        return (
            batch.copy_observations(),
            batch.rewards.copy(),
            batch.terminated.copy(),
            batch.truncated.copy(),
            infos,
        )

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every env, or read an attribute; one result per slot."""
        message = _CALL + pickle.dumps((name, args, kwargs))
        answers = self._ask(dict.fromkeys(range(len(self._pipes)), message))
        return tuple(value for answer in answers for value in pickle.loads(answer))

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Read an attribute of every env."""
        return self.call(name)

    def set_attr(self, name: str, values: Sequence[Any]) -> None:
        """Set an attribute of every env, given one value per slot."""
        self._ask(
            {
                worker: _SET + pickle.dumps((name, [values[slot] for slot in share]))
                for worker, share in enumerate(self._shares)
            }
        )

    def _gather_infos(self, answers: list[bytes]) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for answer in filter(None, answers):
            for slot, info in pickle.loads(answer).items():
                infos = self._add_info(infos, info, slot)
        return infos

    def _ask(self, messages: Mapping[int, bytes]) -> list[bytes]:
        """Send each worker a message, let them work in parallel, and return their answers."""
        for worker, message in messages.items():
            try:
                _write_message(self._pipes[worker], message)
            except OSError:
                self._report_death(worker)
        return [self._receive(worker, self._patience) for worker in messages]

    def _receive(self, worker: int, patience: float) -> bytes:
        pipe = self._pipes[worker]
        try:
            if not self._pollers[worker].poll(1000 * patience):
                raise WorkerError(f"{self._name(worker)} has not answered for {patience:g} s")
            answer = _read_message(pipe)
        except (EOFError, ConnectionResetError):
            self._report_death(worker)
        kind, content = answer[:1], answer[1:]
        if kind == _FAILED:
            raise EnvError(*pickle.loads(content))
        return content

    def _report_death(self, worker: int) -> NoReturn:
        process = self._processes[worker]
        process.join(timeout=5)
        raise WorkerError(f"{self._name(worker)} died with exit code {process.exitcode}")

    def _name(self, worker: int) -> str:
        share = self._shares[worker]
        tasks = dict(zip(share.tolist(), self._batch.tasks[share].tolist(), strict=True))
        return f"worker {worker} (slots and tasks {tasks})"

    def close_extras(self, **kwargs: Any) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=1)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


class _Share:
    """A worker's envs, and the requests that it serves."""

    def __init__(self, batch: SharedBatch, slots: list[int]) -> None:
        self._batch = batch
        self._slots = slots
        self._envs: dict[int, gym.Env[Any, Any]] = {}
        self._slot = slots[0]
        """The slot that is being served, for error messages."""

    def attempt(self, message: bytes) -> bytes:
        """Carry out the request of a message, and return an answer with the result or the error."""
        actions: dict[bytes, Callable[..., Any]] = {
            _MAKE: self.make,
            _STEP: self.step,
            _RESET: self.reset,
            _CALL: self.call,
            _SET: self.set_attr,
        }
        try:
            arguments = pickle.loads(message[1:]) if len(message) > 1 else ()
            result = actions[message[:1]](*arguments)
            return _RESULT + pickle.dumps(result) if result else _DONE
        except Exception as error:
            met = self._error(error, message[:1])
            return _FAILED + pickle.dumps((str(met), met.code))

    def _error(self, error: Exception, kind: bytes) -> EnvError:
        """Describe an error that was raised while serving a message."""
        doing = {_MAKE: "making it", _STEP: "step", _RESET: "reset", _CALL: "a call", _SET: "setting it"}[
            kind
        ]
        if kind == _MAKE:
            return EnvError.of(error, None, doing)
        batch, slot = self._batch, self._slot
        seed = None if batch.seeds[slot] == _NO_SEED else int(batch.seeds[slot])
        task = batch.tasks[slot] if batch.tasks.shape[1] else None
        return EnvError.of(error, self._envs[slot], doing, task, seed)

    def make(self, makers: list[EnvFn]) -> None:
        for slot, make_env in zip(self._slots, makers, strict=True):
            self._slot = slot
            self._envs[slot] = make_env()

    def _each(self) -> Iterator[tuple[int, gym.Env[Any, Any]]]:
        for slot, env in self._envs.items():
            self._slot = slot
            yield slot, env

    def step(self) -> dict[int, dict[str, Any]]:
        batch, infos = self._batch, {}
        for slot, env in self._each():
            if batch.terminated[slot] or batch.truncated[slot]:
                batch.rewards[slot] = 0.0
                continue
            observation, reward, terminated, truncated, info = env.step(batch.actions[slot].copy())
            batch.write_observation(slot, observation)
            batch.rewards[slot] = reward
            batch.terminated[slot] = terminated
            batch.truncated[slot] = truncated
            if info:
                infos[slot] = info
        return infos

    def reset(self, has_task: bool, options: dict[str, Any]) -> dict[int, dict[str, Any]]:
        batch, infos = self._batch, {}
        for slot, env in self._each():
            if not batch.mask[slot]:
                continue
            task = {"task": batch.tasks[slot].copy()} if has_task else {}
            seed = None if batch.seeds[slot] == _NO_SEED else int(batch.seeds[slot])
            observation, infos[slot] = env.reset(seed=seed, options=options | task)
            batch.write_observation(slot, observation)
        return infos

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        results = []
        for _, env in self._each():
            found = env.get_wrapper_attr(name)
            results.append(found(*args, **kwargs) if callable(found) else found)
        return results

    def set_attr(self, name: str, values: list[Any]) -> None:
        for (_, env), value in zip(self._each(), values, strict=True):
            env.set_wrapper_attr(name, value)

    def close(self) -> None:
        for env in self._envs.values():
            env.close()


def _kill(processes: Sequence[SpawnProcess]) -> None:
    for process in processes:
        with suppress(ValueError):  # it has been closed
            process.kill()


def _work(pipe: Connection, batch: SharedBatch, slots: list[int], makers: bytes) -> None:
    """Serve a share of the slots until the pipe closes, as it does when the main process dies."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        # Terminals and batch systems send these to all processes of a job; the main process handles them.
        signal.signal(number, signal.SIG_IGN)
    share = _Share(batch, slots)
    with suppress(EOFError, OSError):
        _write_message(pipe, share.attempt(_MAKE + makers))
        poller = select.poll()
        poller.register(pipe.fileno(), select.POLLIN)
        while True:
            _stay_awake(poller)
            _write_message(pipe, share.attempt(_read_message(pipe)))
    share.close()


def _write_message(pipe: Connection, message: bytes) -> None:
    # A Connection adds a header even to a single byte, and takes twice as long.
    os.write(pipe.fileno(), message[:1])
    if message not in _BARE:
        pipe.send_bytes(message[1:])


def _read_message(pipe: Connection) -> bytes:
    kind = os.read(pipe.fileno(), 1)
    if not kind:
        raise EOFError
    return kind if kind in _BARE else kind + pipe.recv_bytes()


def _stay_awake(poller: select.poll) -> None:
    """Busy-wait until there is something to read, or until it is time to sleep."""
    end = time.perf_counter() + _AWAKE_SECONDS
    while not poller.poll(0) and time.perf_counter() < end:
        os.sched_yield()
