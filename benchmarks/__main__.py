"""Measures the speed of Chiron's parts on this machine, compared with other libraries."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks import checkpoints as bench_checkpoints
from benchmarks import comparison as bench_comparison
from benchmarks import envs as bench_envs
from benchmarks import fuzz as bench_fuzz
from benchmarks import gpu as bench_gpu
from benchmarks import gpu_engine as bench_gpu_engine
from benchmarks import growth as bench_growth
from benchmarks import kills as bench_kills
from benchmarks import run as bench_run
from benchmarks import signals as bench_signals
from benchmarks import students as bench_students
from benchmarks import sweep as bench_sweep
from benchmarks import teachers as bench_teachers
from benchmarks import vector as bench_vector

PARTS = {
    "envs": bench_envs.benchmark,
    "vector": bench_vector.benchmark,
    "students": bench_students.benchmark,
    "teachers": bench_teachers.benchmark,
    "run": bench_run.benchmark,
    "comparison": bench_comparison.benchmark,
    "sweep": bench_sweep.benchmark,
    "checkpoints": bench_checkpoints.benchmark,
    "growth": bench_growth.benchmark,
    "kills": bench_kills.benchmark,
    "signals": bench_signals.benchmark,
    "fuzz": bench_fuzz.benchmark,
    "gpu": bench_gpu.benchmark,
    "gpu_engine": bench_gpu_engine.benchmark,
}
_NEED_GPU = {"gpu", "gpu_engine"}
_LENGTHS = {
    "rounds": (9, 3, "how often what is compared is timed in turn"),
    "steps": (98_304, 32_768, "decisions of each run of the main job"),
    "training_steps": (20_000_000, 1_000_000, "length of the runs whose growth is measured"),
    "runs": (500, 20, "size of the study whose growth is measured"),
    "kills": (50, 5, "how often runs of each kind are killed"),
    "lines": (2_000, 200, "command lines with something wrong in them"),
    "signals": (10, 1, "how many signals are sent in each phase of a run; twice as many sweeps are killed"),
    "episodes": (1_000_000, 100_000, "length of the teachers' long run"),
}
"""By option: its default, its value with `--quick`, and its meaning."""
_PACKAGES = ("numpy", "scipy", "torch", "gymnasium", "box2d", "stable-baselines3")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="part",
        help=f"what to measure: {', '.join(PARTS)}; or all but {' and '.join(sorted(_NEED_GPU))}",
    )
    for name, (default, _, what) in _LENGTHS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"{what} (default: {default:,})")
    parser.add_argument(
        "--quick", action="store_true", help="shorter where nothing else is said: minutes in all"
    )
    parser.add_argument(
        "--sbx-python", type=Path, help="interpreter that has SBX, to time students beside it"
    )
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the bench_<part>.json to write")
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"{unknown[0]!r} must be one of {', '.join(PARTS)}")
    for name, (default, quick, _) in _LENGTHS.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else default)
        if getattr(options, name) < 1:
            parser.error(f"--{name}={getattr(options, name)} must be at least 1")
    console = Console()
    machine = describe_machine()
    console.print(" · ".join(f"{key} {value}" for key, value in machine.items()), highlight=False)
    for part in options.parts or [part for part in PARTS if part not in _NEED_GPU]:
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
