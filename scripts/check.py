"""chiron-check: checks that an env satisfies the contract of teachers, students and evaluations."""

from __future__ import annotations

import sys
import warnings

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..conf.build import build
from ..conf.schema import require_component
from ..envs.env_checks import CHECKS, BrokenContractError, check_that
from ..envs.vector.sync_vector_env import EnvFn
from ..runs.blaming import blaming
from ..runs.made_env import made_env
from .console import outlive_the_terminal
from .hydra_command import hydra_errors_refused, keeping_errors
from .refusal import refuse, say_error

COMMAND = "chiron-check"

BROKEN = 1
"""Exit code for an env that violates the contract."""


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    with hydra_errors_refused(COMMAND):
        _check()


@hydra.main(version_base="1.3", config_path="pkg://chiron.conf", config_name="check")
@keeping_errors
def _check(config: DictConfig) -> None:
    try:
        node = require_component("env", OmegaConf.to_container(config.env, resolve=True))
        chosen = f"env={HydraConfig.get().runtime.choices['env']}"
        if node["_target_"] is None:
            raise ValueError(f"{chosen} is no Gymnasium env: choose another env")
        with blaming(chosen):
            make_env: EnvFn = build(node)
        made_env(chosen, make_env)
    except (ValueError, OmegaConfBaseException) as error:
        refuse(error, COMMAND)
    # Here for start-up time: it imports torch, which the errors above do not need.
    from ..students.sb3_env_check import is_a_stable_baselines_env, plain

    checks = (*CHECKS, is_a_stable_baselines_env)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            for check in checks:
                check_that(check, make_env)
        except BrokenContractError as error:
            say_error(error, COMMAND)
            sys.exit(BROKEN)
        finally:
            for note in dict.fromkeys(plain(warning.message) for warning in warned):
                print(f"note: {note}", file=sys.stderr)
    print(f"{chosen} keeps the contract of an env: {len(checks)} checks passed")


if __name__ == "__main__":
    main()
