"""Valid ranges for arguments of Stable-Baselines3's algorithms, which check few of them themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """A range of allowed numbers.

    Attributes:
        low: Lower bound.
        high: Upper bound; if infinite, any finite number is allowed.
        above: Whether `low` itself is excluded.
        infinite: Whether infinity is allowed too.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    infinite: bool = False

    def has(self, number: float) -> bool:
        """Whether a number is allowed; NaN never is."""
        is_in = self.low <= number <= self.high and not (self.above and number == self.low)
        return is_in and (self.infinite or math.isfinite(number))

    def __str__(self) -> str:
        parts = []
        if self.low > -math.inf:
            parts.append(f"{'above' if self.above else 'at least'} {self.low:g}")
        if self.high < math.inf:
            parts.append(f"at most {self.high:g}")
        return " and ".join(parts or ["finite"])


_COUNT, _POSITIVE, _NOT_NEGATIVE, _SHARE = Range(1), Range(0, above=True), Range(0), Range(0, 1)
_LIMIT = Range(0, above=True, infinite=True)
_RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("gamma", "gae_lambda", "exploration_fraction"), _SHARE),
    **dict.fromkeys(("exploration_initial_eps", "exploration_final_eps"), _SHARE),
    **dict.fromkeys(("n_steps", "batch_size", "n_epochs", "buffer_size", "n_quantiles"), _COUNT),
    **dict.fromkeys(("train_freq", "target_update_interval", "policy_delay", "n_critics"), _COUNT),
    **dict.fromkeys(("stats_window_size", "sub_sampling_factor", "n_critic_updates"), _COUNT),
    **dict.fromkeys(("cg_max_steps", "line_search_max_iter", "n_top"), _COUNT),
    # ARS keeps a copy of its policy for each delta, and first learns after all have played all episodes.
    **dict.fromkeys(("n_delta", "n_eval_episodes"), Range(1, 1e6)),
    **dict.fromkeys(("learning_starts", "target_policy_noise", "target_noise_clip"), _NOT_NEGATIVE),
    **dict.fromkeys(("learning_rate", "clip_range", "ent_coef", "vf_coef", "cg_damping"), _NOT_NEGATIVE),
    **dict.fromkeys(("top_quantiles_to_drop_per_net", "zero_policy"), _NOT_NEGATIVE),
    **dict.fromkeys(("clip_range_vf", "target_kl", "rms_prop_eps", "delta_std", "epsilon"), _POSITIVE),
    **dict.fromkeys(("max_grad_norm", "clip_obs", "clip_reward"), _LIMIT),
    "tau": Range(0, 1, above=True),
    "line_search_shrinking_factor": Range(0, 1, above=True),
    "gradient_steps": Range(-1),
    "sde_sample_freq": Range(-1),
    "verbose": Range(0, 2),
    "target_entropy": Range(),
    "alive_bonus_offset": Range(),
    "action_repeat": _COUNT,
    "forget_every": _COUNT,
}


def require_ranges(arguments: Mapping[str, Any]) -> None:
    """Check that a student's arguments are in the ranges that its algorithm supports.

    Args:
        arguments: Arguments of the algorithm and of its adapter, by name.

    Raises:
        ValueError: If one is not; gives key, value and what is allowed.
    """
    for key, value in _leaves(arguments):
        name = key.rpartition(".")[2]
        if name == "net_arch":
            _require_sizes(key, value)
        allowed = _RANGES.get(name)
        numbers = _numbers_in(value) if allowed is not None else []
        if allowed is not None and not all(map(allowed.has, numbers)):
            what = "" if numbers == [value] else " in all it takes on"
            raise ValueError(f"{key}={_shown(value)} must be {allowed}{what}")


def _leaves(arguments: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in arguments.items():
        if isinstance(value, Mapping) and name != "net_arch":
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _numbers_in(value: Any) -> list[float]:
    """Values that must be in range: a number, a schedule's first and last value, or a frequency's number."""
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, Callable) and not isinstance(value, type):  # type: ignore[arg-type]
        return [number for progress in (1.0, 0.0) for number in _numbers_in(value(progress))]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [value] if is_number else []


def _require_sizes(key: str, value: Any) -> None:
    """Check that layer sizes are integers: in a list, or in such lists by network."""
    networks = value.values() if isinstance(value, Mapping) else [value]
    for layers in networks:
        is_list = isinstance(layers, (list, tuple))
        if not is_list or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in layers):
            raise ValueError(
                f"{key}={value} must be a list of layer sizes, or such lists by network (pi, vf, qf)"
            )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
