"""Run the benchmarks, quickly: enough to see that they work, and what they ask.

    python benchmarks/run.py [NAME] [ROUNDS]

NAME is a part of a script's path: `events`, `bench_echo`, `server/idle`; without it all
run. The tables in the README of each folder come from longer runs, as they say there.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = "3"

#: The scripts that compare servers have options, and take long by default.
SERVERS = {
    "server/compare.py": ["--case", "hello", "--case", "json"],
    "server/idle.py": ["--connections", "500", "--seconds", "3"],
}


def commands(wanted: str, rounds: str) -> dict[str, list[str]]:
    """Return the arguments of each script whose path contains `wanted`."""
    paths = sorted(HERE.glob("*/bench_*.py"))
    found = {str(path.relative_to(HERE)): [rounds] for path in paths}
    found |= {
        name: [*(["--rounds", rounds] if "compare" in name else []), *options]
        for name, options in SERVERS.items()
    }
    return {name: options for name, options in found.items() if wanted in name}


def main() -> int:
    wanted, rounds, *_ = [*sys.argv[1:], *["", ROUNDS][len(sys.argv[1:]) :]]
    scripts = commands(wanted, rounds)
    if not scripts:
        print(f"no benchmark has {wanted!r} in its name", file=sys.stderr)
        return 2
    failed = []
    for name, options in scripts.items():
        print(f"\n## {name} {' '.join(options)}", flush=True)
        if subprocess.run([sys.executable, str(HERE / name), *options]).returncode:
            failed.append(name)
    tables = {HERE / name.partition("/")[0] / "README.md" for name in scripts}
    print("\nRecorded tables and how they were made:")
    for table in sorted(tables | {HERE / "README.md"}):
        if table.is_file():
            print(f"  {table.relative_to(HERE.parent)}")
    if failed:
        print("failed:", *failed, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
