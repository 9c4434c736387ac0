"""Scores of an episode by the student's critic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CriticScores:
    """Scores of an episode by the student's critic, for teachers that need `critic`.

    All are in the units in which the critic learns: with `VecNormalize`, normalised rewards. V(s_t) is the
    value of the state before step t, A_t the generalised advantage of the step (Schulman et al. 2016).

    Attributes:
        positive_advantage: Mean of max(A_t, 0) over the steps: the positive value loss.
        absolute_advantage: Mean of |A_t|: the L1 value loss.
        value: Mean of V(s_t).
        discounted_return: Sum of gamma^t r_t from the first step on; for a truncated episode, including the
            value of its last state.
    """

    positive_advantage: float
    absolute_advantage: float
    value: float
    discounted_return: float
