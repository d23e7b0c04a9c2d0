"""The whole of `openloop check`, as a process, beside MLIR's own C++ parser alone, in one run on one machine.

    cargo build --release && python benches/side_by_side.py benches/inputs/llama_8b.mlir [-n TIMES]

Needs jaxlib. Prints the least time of each over TIMES turns, taken in turn, and their ratio: seconds on a shared
machine mean little, a ratio measured side by side means more.
"""

import argparse
import pathlib
import subprocess
import time

from mlir_parse import fresh_context

from jaxlib.mlir import ir

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("-n", type=int, default=40)
    arguments = parser.parse_args()
    text = arguments.file.read_text()
    command = [
        ROOT / "target/release/openloop", "check", arguments.file, "--within", "run", "-o", "/dev/null",
        "--source", "scope:probe_reward", "--sink", "output:**.beliefs.**",
    ]
    ours, theirs = [], []
    for _ in range(arguments.n):
        start = time.perf_counter()
        code = subprocess.run(command, check=False).returncode
        ours.append(time.perf_counter() - start)
        assert code in (0, 1), code
        with fresh_context():
            start = time.perf_counter()
            module = ir.Module.parse(text)
            theirs.append(time.perf_counter() - start)
        del module
    mib = len(text) / 2**20
    print(f"{arguments.file.name}: {mib:.2f} MiB")
    print(f"  openloop check, file to verdict, process included: {min(ours) * 1e3:.1f} ms ({mib / min(ours):.0f} MiB/s)")
    print(f"  MLIR parse alone: {min(theirs) * 1e3:.1f} ms ({mib / min(theirs):.0f} MiB/s)")
    print(f"  ratio {min(ours) / min(theirs):.2f}")


if __name__ == "__main__":
    main()
