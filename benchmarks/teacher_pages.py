"""Writes docs/teachers: a page per teacher, from its docstring, and the gallery, which lists them.

    python -m benchmarks.teacher_pages                        texts, and pictures that are missing
    python -m benchmarks.teacher_pages --draw alp_gmm riac    these pictures again; --draw alone: all
    python -m benchmarks.teacher_pages --suite results/teacher_benchmark    results of this study, too

A page ends with hand-written text, below a line that says so; the gallery's tables are between such lines.
Hand-written text is kept.
"""

from __future__ import annotations

import inspect
import json
import re
import statistics
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from chiron import conf
from rich.progress import track

from benchmarks.command_line import parser_of
from benchmarks.teachers import teacher_names

DOCS = Path(__file__).parent.parent / "docs" / "teachers"
CONF = Path(conf.__path__[0]) / "teacher"
BY_HAND = "<!-- Above: by python -m benchmarks.teacher_pages. Below: by hand. -->"
TABLES = {
    name: (f"<!-- Table of {name}: by python -m benchmarks.teacher_pages. -->", f"<!-- End of {name}. -->")
    for name in ("teachers", "results")
}
ON_SIMULATED: dict[str, dict[str, Any]] = {
    "plr": {"score": "learnability"},
    "accel": {"score": "learnability", "robust": False},
}
"""Arguments for teachers whose defaults need more than a simulated student has."""
SUITE = DOCS / "suite.json"
"""Results of the teacher benchmark, by student and teacher, and their means over students."""
_SCORES = ("mastered", "area", "early")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("teacher_pages", __doc__)
    parser.add_argument("--draw", nargs="*", metavar="teacher", help="pictures to draw again; none: all")
    parser.add_argument(
        "--suite", type=Path, help="study of experiment=teacher_benchmark to take results from"
    )
    options = parser.parse_args(arguments)
    names = teacher_names()
    for name in options.draw or []:
        if name not in names:
            parser.error(f"{name!r} must be one of {', '.join(names)}")
    if options.suite is not None:
        _write_suite(options.suite)
    again = names if options.draw == [] else options.draw or []
    drawn = [name for name in names if name in again or not picture_of(name).exists()]
    if drawn:
        # Imported here for a fast start: it imports matplotlib.
        from benchmarks.teacher_pictures import draw

        for name in track(drawn, "Pictures"):
            draw(name, picture_of(name), ON_SIMULATED.get(name, {}))
    for path, text in pages().items():
        path.write_text(text)


def picture_of(name: str) -> Path:
    """Path of a teacher's picture."""
    return DOCS / "images" / f"{name}.png"


def pages() -> dict[Path, str]:
    """The up-to-date texts of all pages and of the gallery, by file."""
    suite = json.loads(SUITE.read_text()) if SUITE.exists() else None
    texts = {}
    for name in teacher_names():
        path = DOCS / f"{name}.md"
        _, _, by_hand = (path.read_text() if path.exists() else "").partition(BY_HAND)
        texts[path] = f"{page(name, suite)}\n{BY_HAND}{by_hand or chr(10)}"
    gallery = DOCS / "README.md"
    text = gallery.read_text()
    for part, table in (("teachers", _teachers_table()), ("results", _results_table(suite))):
        begin, end = TABLES[part]
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{table}\n{end}{rest.partition(end)[2]}"
    texts[gallery] = text
    return texts


def page(name: str, suite: Any) -> str:
    """The generated part of a teacher's page, above the hand-written part."""
    teacher = _class_of(name)
    title, sentence = _headline(teacher)
    summary, body, arguments = _docstring(teacher)
    parts = [
        f"# {title}",
        f"**{sentence}**",
        f"`teacher={name}` · {summary}",
        f"![What {title} proposed on the toy grid](images/{name}.png)",
        _caption(name),
        re.sub(r"docs/(\S+\.md)", r"[docs/\1](../\1)", body),
        _settings(name, teacher, arguments),
        _presets(name),
        _row_of_suite(name, suite),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _class_of(name: str) -> type:
    module, _, attribute = str(_node(name)["_target_"]).rpartition(".")
    found: type = getattr(__import__(module, fromlist=[attribute]), attribute)
    return found


def _node(name: str) -> dict[str, Any]:
    node: dict[str, Any] = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return node


def _headline(teacher: type) -> tuple[str, str]:
    """Name and one-sentence description of a teacher, from the first line of its module."""
    title, _, sentence = (inspect.getmodule(teacher).__doc__ or "").partition("\n")[0].partition(": ")
    return title, sentence[:1].upper() + sentence[1:]


def _docstring(teacher: type) -> tuple[str, str, dict[str, str]]:
    """The summary of a class, the rest of its prose, and the descriptions of its arguments."""
    prose, _, _ = inspect.cleandoc(teacher.__doc__ or "").partition("\nArgs:")
    summary, _, body = prose.strip().partition("\n\n")
    documented = (inspect.cleandoc(base.__doc__ or "") for base in teacher.__mro__)
    section = next((doc.partition("\nArgs:\n")[2] for doc in documented if "\nArgs:\n" in doc), "")
    section = re.split(r"\n\n(?=\w+:\n)", section)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return " ".join(summary.split()), body.strip(), {key: " ".join(text.split()) for key, text in entries}


def _caption(name: str) -> str:
    changed = " ".join(
        f"`teacher.{key}={_shown(value)}`" for key, value in ON_SIMULATED.get(name, {}).items()
    )
    having = f" (with {changed}, since simulated students have no critic)" if changed else ""
    return f"On the toy grid{having}: [how to read the picture](README.md#the-pictures)."


def _settings(name: str, teacher: type, arguments: Mapping[str, str]) -> str:
    values = {key: value for key, value in _node(name).items() if key != "_target_"}
    if not values:
        return ""
    rows = [
        f"| `teacher.{key}` | `{_shown(value)}` | {_cell(arguments.get(key, ''))} |"
        for key, value in values.items()
    ]
    return "\n".join(["## Settings", "", "| key | default | meaning |", "|---|---|---|", *rows])


def _presets(name: str) -> str:
    path = CONF / f"{name}_benchmark.yaml"
    if not path.exists():
        return ""
    own, other = _node(name), _node(f"{name}_benchmark")
    changed = ", ".join(f"`{key}={_shown(value)}`" for key, value in other.items() if own.get(key) != value)
    return f"`teacher={name}_benchmark` has the settings of TeachMyAgent: {changed}."


def _row_of_suite(name: str, suite: Any) -> str:
    """A teacher's results with each simulated student."""
    if suite is None or name not in suite["teachers"]:
        return ""
    lines = []
    seeds = suite["seeds"][name]
    for student, cells in suite["students"].items():
        if name in cells:
            end, area, early = (_number(cells[name][score]) for score in _SCORES)
            best = max(cell["mastered"][0] for cell in cells.values())
            lines.append(f"| `{student}` | {end} | {area} | {early} | {best:.0f} |")
    return "\n".join(
        [
            "## In the teacher benchmark",
            "",
            f"With the [simulated students](README.md#the-teacher-benchmark), {seeds} seeds each:",
            "",
            "| student | mastered % in the end | area under the curve | % after an eighth | best teacher |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


def _results_table(suite: Any) -> str:
    """Table of all students by all teachers."""
    if suite is None:
        return "No results yet: see the command above.\n"
    teachers = suite["teachers"]
    lines = [
        f"Mastered % in the end, mean ± standard deviation over {_seeds(suite)} ({suite['date']}):",
        "",
        "| | " + " | ".join(f"[`{name}`]({name}.md)" for name in teachers) + " |",
        "|---" * (1 + len(teachers)) + "|",
    ]
    for student, cells in suite["students"].items():
        best = max(cell["mastered"][0] for cell in cells.values())
        shown = []
        for name in teachers:
            text = _number(cells[name]["mastered"]) if name in cells else "–"
            is_best = name in cells and cells[name]["mastered"][0] == best
            shown.append(f"**{text}**" if is_best else text)
        lines.append(f"| `{student}` | {' | '.join(shown)} |")
    means = [suite["means"].get(name) for name in teachers]
    shown = ["–" if of is None else f"{of[0]:.1f} [{of[1]:.1f}, {of[2]:.1f}]" for of in means]
    lines.append(f"| mean of the rows [95%] | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _seeds(suite: Any) -> str:
    """Number of seeds behind the results of a table, such as "10 seeds (`spdl`: 3)"."""
    usual = statistics.mode(suite["seeds"].values())
    others = [f"`{name}`: {count}" for name, count in suite["seeds"].items() if count != usual]
    return f"{usual} seeds" + (f" ({', '.join(others)})" if others else "")


def _teachers_table() -> str:
    """The gallery's table of teachers."""
    lines = ["| | | on the toy grid |", "|---|---|---|"]
    for name in teacher_names():
        title, sentence = _headline(_class_of(name))
        picture = f"[![{title}](images/{name}.png)]({name}.md)"
        lines.append(f"| [{title}]({name}.md)<br>`{name}` | {sentence} | {picture} |")
    return "\n".join(lines) + "\n"


def _number(mean_and_sd: tuple[float, float]) -> str:
    return "{:.0f} ± {:.0f}".format(*mean_and_sd)


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _write_suite(study: Path) -> None:
    """Write the results of all teachers in a study to the file that pages are made from."""
    # Imported here for a fast start: these import pandas.
    import numpy as np
    from chiron.analysis.comparison import compare
    from chiron.analysis.score_matrix import score_matrix, scores_of
    from chiron.analysis.study import read_study

    runs, notes = read_study(study)
    comparison = compare(runs, np.random.default_rng(0), None, ["env"])
    matrix = score_matrix(comparison)
    if matrix is None:
        raise SystemExit(f"{study} has fewer than two students or two teachers")
    scores = dict(zip(_SCORES, scores_of(comparison).values(), strict=True))
    names = {label: label.split()[0] for label in matrix.teachers}
    students: dict[str, dict[str, Any]] = {row.split("/")[-1]: {} for row in matrix.rows}
    for key, score in scores.items():
        for (row, label), of in matrix.means(score).items():
            students[row.split("/")[-1]].setdefault(names[label], {})[key] = [
                round(number, 2) for number in of
            ]
    means = {
        names[label]: [round(number, 2) for number in (mean, *interval)]
        for label, (mean, interval) in matrix.summary(scores["mastered"], np.random.default_rng(0)).items()
    }
    found = {
        "date": date.today().isoformat(),
        "seeds": {
            name: min(len(cell.counted) for (_, of), cell in matrix.cells.items() if of == label)
            for label, name in sorted(names.items())
        },
        "teachers": sorted(names.values()),
        "students": students,
        "means": means,
    }
    SUITE.write_text(json.dumps(found, indent=1) + "\n")
    for note in notes:
        print(note)


if __name__ == "__main__":
    main()
