"""Tasks that a teacher proposes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import Task


@dataclass(frozen=True)
class Proposal:
    """A task to play.

    Attributes:
        task: A point of the task space's box, float32 of shape (d,); integers are rounded when it is played.
        source: How the teacher chose it, for the episode log ("random", "gaussian_3", …).
        ticket: Data that the teacher gets back with the episode: numbers, strings, arrays.
        seed: Seed of the env's reset, from teachers that propose levels (a task and its seed). None leaves
            the choice to the caller.
        trains: Whether the student is to learn from the episode, or only to play it.
    """

    task: Task
    source: str
    ticket: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    trains: bool = True


@dataclass(frozen=True)
class Proposals:
    """Several tasks to play, in arrays; indexing and iteration give each as a `Proposal`.

    Attributes:
        tasks: Points of the task space's box, float32 of shape (n, d).
        sources: How the teacher chose each, n strings, or one for all.
        tickets: Data that the teacher gets back with each episode: n values by name.
        seeds: Seeds of the resets, int64 of shape (n,); None leaves the choice to the caller.
        trains: Which episodes the student is to learn from, bool of shape (n,); all if None.
    """

    tasks: NDArray[np.float32]
    sources: str | Sequence[str] | NDArray[np.str_]
    tickets: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    seeds: NDArray[np.int64] | None = None
    trains: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> Proposal:
        source = self.sources if isinstance(self.sources, str) else str(self.sources[index])
        ticket = {name: _plain(values[index]) for name, values in self.tickets.items()}
        seed = None if self.seeds is None else int(self.seeds[index])
        trains = self.trains is None or bool(self.trains[index])
        return Proposal(self.tasks[index], source, ticket, seed, trains)

    def __iter__(self) -> Iterator[Proposal]:
        return (self[index] for index in range(len(self)))


def _plain(value: Any) -> Any:
    """Convert NumPy scalars to Python's types, which any state file can store; arrays are unchanged."""
    return value.item() if isinstance(value, np.generic) else value
