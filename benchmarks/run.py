"""Run the benchmarks whose file name contains the first argument; all without one."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    scripts = sorted(Path(__file__).parent.glob(f"bench_*{wanted}*.py"))
    if not scripts:
        print(f"no benchmark is called *{wanted}*", file=sys.stderr)
        return 2
    failed = [
        script.name
        for script in scripts
        if subprocess.run([sys.executable, script, *sys.argv[2:]]).returncode
    ]
    if failed:
        print("failed:", *failed, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
