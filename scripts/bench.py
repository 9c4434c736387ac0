"""chiron-bench: how fast the parts of Chiron are on this machine, beside their peers."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from scripts import bench_comparison, bench_envs, bench_students, bench_sweep, bench_teachers

PARTS = {
    "envs": bench_envs.benchmark,
    "students": bench_students.benchmark,
    "teachers": bench_teachers.benchmark,
    "comparison": bench_comparison.benchmark,
    "sweep": bench_sweep.benchmark,
}
_PACKAGES = ("numpy", "scipy", "torch", "gymnasium", "box2d", "stable-baselines3")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="chiron-bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"what to measure: {', '.join(PARTS)}; or all"
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often what is compared is timed in turn")
    parser.add_argument("--episodes", type=int, default=1_000_000, help="length of the teachers' long run")
    parser.add_argument(
        "--sbx-python", type=Path, help="interpreter that has SBX, to time students beside it"
    )
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the bench_<part>.json to write")
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"{unknown[0]!r} must be one of {', '.join(PARTS)}")
    if options.rounds < 1:
        parser.error(f"--rounds={options.rounds} must be at least 1")
    console = Console()
    machine = describe_machine()
    console.print(" · ".join(f"{key} {value}" for key, value in machine.items()), highlight=False)
    for part in options.parts or PARTS:
        try:
            content = PARTS[part](console, options)
        except ValueError as error:
            parser.error(str(error))
        path = options.out / f"bench_{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": machine, **content}, indent=2) + "\n")
        console.print(f"Written to {path}", soft_wrap=True, highlight=False)


def describe_machine() -> dict[str, str]:
    """What the numbers depend on: processor, cores, load and versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "load": load,
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


if __name__ == "__main__":
    main()
