"""Display names and line styles of teachers: one colour and one line each, the same in every picture."""

from __future__ import annotations

import colorsys
import hashlib
from typing import Literal, NamedTuple

Dashes = Literal["-"] | tuple[float, tuple[float, ...]]
"""A line style of matplotlib."""
SOLID: Dashes = "-"
DASHED, DOTTED, DASHDOT = (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4))
DASHES: tuple[Dashes, ...] = (SOLID, DASHED, DOTTED, DASHDOT)


class TeacherStyle(NamedTuple):
    """Display name and line style of a teacher.

    Attributes:
        name: Its name in papers.
        color: Colour of its curves, as `#rrggbb`. Colour and line together are colour-blind safe.
        dashes: Line style of its curves.
    """

    name: str
    color: str
    dashes: Dashes


_STYLES = {
    "random": TeacherStyle("Random", "#767676", SOLID),
    "oracle": TeacherStyle("Oracle", "#000000", DASHED),
    "riac": TeacherStyle("RIAC", "#e69f00", SOLID),
    "covar_gmm": TeacherStyle("Covar-GMM", "#009e73", DASHED),
    "alp_gmm": TeacherStyle("ALP-GMM", "#0072b2", SOLID),
    "adr": TeacherStyle("ADR", "#cc79a7", DASHED),
    "doraemon": TeacherStyle("DORAEMON", "#d55e00", DASHDOT),
    "spdl": TeacherStyle("SPDL", "#56b4e9", DASHED),
    "currot": TeacherStyle("CURROT", "#882255", SOLID),
    "plr": TeacherStyle("PLR", "#117733", DOTTED),
    "accel": TeacherStyle("ACCEL", "#aa4499", DASHDOT),
    "learnability": TeacherStyle("Learnability", "#332288", DOTTED),
    "grid_lp": TeacherStyle("Grid-LP", "#999933", DASHDOT),
    "goal_gan": TeacherStyle("GoalGAN", "#44aa99", SOLID),
    "setter_solver": TeacherStyle("Setter-Solver", "#8c510a", DOTTED),
    "headway": TeacherStyle("Headway", "#b2182b", SOLID),
}
_STUDENTS = {"ppo": "PPO", "sac": "SAC", "fast_sac": "FastSAC", "overlapped_sac": "OverlappedSAC"}


def teacher_style(name: str) -> TeacherStyle:
    """Display name and line style of a teacher.

    `alp_gmm_benchmark` is drawn as `alp_gmm`. An unknown teacher gets a colour and a line that depend only on
    its name, so they are the same in every picture too.

    Args:
        name: Its name in the configuration.
    """
    known = [own for own in _STYLES if name == own or name.startswith(f"{own}_")]
    if known:
        own = max(known, key=len)
        rest = name[len(own) :].strip("_").replace("_", " ")
        style = _STYLES[own]
        return style._replace(name=f"{style.name} ({rest})") if rest else style
    digest = hashlib.sha256(name.encode(errors="replace")).digest()
    red, green, blue = colorsys.hls_to_rgb(digest[0] / 256, 0.42, 0.65)
    color = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
    return TeacherStyle(readable(name), color, DASHES[digest[1] % len(DASHES)])


def display_name(group: str, name: str) -> str:
    """The name of an env, teacher, student or study in papers.

    Args:
        group: `env`, `teacher`, `student` or `study`.
        name: Its name in the configuration.
    """
    if group == "teacher":
        return teacher_style(name).name
    if group == "env":
        return readable(name)
    return _STUDENTS.get(name, name) if group == "student" else name


def readable(name: str) -> str:
    """Turn `stump_height` into `Stump height`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else name
