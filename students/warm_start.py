"""Starts a student with the networks of another one."""

from __future__ import annotations

from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm
from torch.nn.utils import parameters_to_vector

from .saved_student import MODEL, NORMALIZATION, load_normalization, read_tensors


def model_file(source: Path) -> Path:
    """The file of a saved algorithm.

    Args:
        source: A run directory, its folder `best`, or the file itself.

    Raises:
        ValueError: If there is no such file.
    """
    file = source / MODEL if source.is_dir() else source
    if not file.is_file():
        raise ValueError(f"load={source} must be a run or a saved algorithm: there is no file {file}")
    return file


def warm_start(model: BaseAlgorithm, source: Path) -> None:
    """Load the networks of a saved algorithm into another, and the matching statistics into its envs.

    Optimizers, replay buffer, step counts and schedules start fresh. Only tensors and arrays are read, so
    untrusted files cannot execute code.

    Args:
        model: The algorithm, before it has learned anything.
        source: A run directory, its folder `best`, or a file saved by Stable-Baselines3, with statistics
            beside it in `normalization.npz`.

    Raises:
        ValueError: If there is no such student, or it has different networks or normalisation.
    """
    file = model_file(source)
    statistics = file.parent / NORMALIZATION
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None and normalizer.norm_obs:
        if not statistics.exists():
            raise ValueError(
                f"load={source} has no {NORMALIZATION} beside it, and this student normalises observations: "
                "use student.vec_normalize=null"
            )
        load_normalization(normalizer, statistics)
    elif statistics.exists():
        raise ValueError(
            f"load={source} was trained on normalised observations, and this student does not normalise: "
            "use student.vec_normalize={}"
        )
    try:
        model.policy.load_state_dict(read_tensors(file, "policy"))
    except RuntimeError as error:
        raise ValueError(
            f"load={source} holds other networks than this student's: {' '.join(str(error).split())[:300]}"
        ) from error
    if "weights" in vars(model):
        # ARS perturbs a copy of its policy's parameters.
        model.weights = parameters_to_vector(model.policy.parameters()).detach()  # type: ignore[attr-defined]
