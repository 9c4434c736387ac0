"""Reports in one sentence why something cannot be run."""

from __future__ import annotations

import re
import sys
from typing import NoReturn

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import YAMLError

from ..conf.choices import choices_of
from ..runs.printable import printable

BAD_INPUT = 2
"""Exit code for requests that cannot be run."""
LEFT_OUT = 3
"""Exit code for a command that succeeded except for a damaged part, which it named."""
_EXTRAS = {
    "hydra/launcher/joblib": "launcher=joblib",
    "hydra/launcher/ray": "launcher=ray",
    "hydra/launcher/submitit_slurm": "launcher=slurm",
    "hydra/sweeper/optuna": "sweeper=optuna",
}
"""Choices that need an extra, by the Hydra choice that the extra adds; the extra is named like our choice."""


def refuse(error: Exception, program: str = "chiron-train", code: int = BAD_INPUT) -> NoReturn:
    """Exit with a code, 2 by default, and one sentence about what is wrong."""
    say_error(error, program)
    sys.exit(code)


def say_error(error: Exception, program: str) -> None:
    """Print one sentence about what is wrong, after the traceback if the user's code raised the error."""
    # Imported here for start-up time: they import gymnasium.
    from ..envs.user_code import user_code
    from ..envs.vector.env_error import EnvError

    cause = _first_cause(error)
    raised = next((one for one in (error, cause) if isinstance(one, EnvError)), None)
    code = user_code(cause) if raised is None else raised.code
    if code:
        print(code, file=sys.stderr)
    print(f"{program}: {printable(as_sentence(error))}", file=sys.stderr)


def _first_cause(error: BaseException) -> BaseException:
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def as_sentence(error: Exception) -> str:
    """An error of Hydra, OmegaConf or a component as a sentence for the user of the command."""
    if isinstance(error, YAMLError):
        return f"broken YAML: {_all_lines(error)}"
    if not isinstance(error, HydraException | OmegaConfBaseException):
        # Messages of Chiron and of users are complete; for other errors the class name is essential.
        says_all = isinstance(error, (ValueError, OSError)) or type(error).__module__ != "builtins"
        return str(error) if says_all else f"{type(error).__name__}: {error}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        if not group:
            return f"--config-name={choice}: there is no such configuration"
        options = error.options or choices_of(group)
        wanted = _EXTRAS.get(error.missing_cfg_file)
        if wanted is not None:
            extra = wanted.partition("=")[2]
            return f"{wanted} needs the extra {extra!r}: pip install 'chiron-curricula[{extra}]'"
        return f"{group}={choice} must be one of {', '.join(options)}" if options else _first_line(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override!r} cannot be read: {_first_line(error)}"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} has no default: give {error.full_key}=…"
    # OmegaConf's own error, which names key and value, is the cause of Hydra's.
    cause = error.__cause__
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.parent_node is not None:
        known = ", ".join(str(key) for key in cause.parent_node)
        return f"{_first_line(error)}: the keys there are {known} (+key=value adds another)"
    if "raised while composing config" in str(error):
        return _all_lines(error)
    key = getattr(error, "full_key", None)
    said = [_first_line(error)] if cause is None else [_first_line(error), _first_line(cause)]
    return ": ".join(said if not key or key in said[0] else [key, *said])


def _all_lines(error: BaseException) -> str:
    """A multi-line error on one line, without its details about OmegaConf's own types."""
    lines = [line.strip() for line in str(error).splitlines()]
    kept = [line for line in lines if line and not line.startswith(("object_type=", "reference_type="))]
    return " ".join(line if line.endswith(":") else f"{line};" for line in kept).rstrip(";")


def _first_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error).strip().splitlines()[0]).rstrip(".")
