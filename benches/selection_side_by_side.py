"""Updates of a policy over a few plans beside numpy, in one run on one machine.

    python benches/selection_side_by_side.py [-n TIMES]

Needs numpy. Runs `cargo bench --bench selection` for ours, and the same two updates, written as one would in numpy, for
theirs: policy gradient on logits, and exponential weights. Updates in a second, and their ratio. Most of what numpy takes
are calls from Python: this says what a simulation costs that is written so, not how fast numpy is on long arrays.
"""

import argparse
import os
import pathlib
import re
import subprocess
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
UPDATES = 20_000
RATE = 1e-3


def policy_gradient(logits, rewards):
    for _ in range(UPDATES):
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        logits += RATE * shares * (rewards - shares @ rewards)


def exponential_weights(shares, rewards):
    for _ in range(UPDATES):
        shares *= np.exp(RATE * (rewards - rewards.max()))
        shares /= shares.sum()


def ours():
    """Updates in a second for each bench, from the line that criterion prints: the middle of three numbers."""
    command = ["cargo", "bench", "--bench", "selection", "--", "--noplot", "plans"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    units = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}
    pattern = r"^(\d+ plans/[^\n]*?)\s*\n?\s+time:.*\n\s+thrpt:\s+\[\S+ \S+ (\S+) ([KMG]?)elem/s"
    return {name: float(number) * units[unit] for name, number, unit in re.findall(pattern, printed, re.MULTILINE)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=5)
    times = parser.parse_args().n
    found = ours()
    for plans in (2, 16):
        rewards = 1e-3 * np.arange(plans)
        for name, update in (("policy gradient", policy_gradient), ("exponential weights", exponential_weights)):
            least = float("inf")
            for _ in range(times):
                state = np.full(plans, 1 / plans)
                start = time.process_time()
                update(state, rewards)
                least = min(least, time.process_time() - start)
            mine, theirs = found[f"{plans} plans/{name}"], UPDATES / least
            print(f"{plans} plans, {name}: {mine / 1e6:.1f} M updates/s, numpy {theirs / 1e6:.3f} M, ratio {mine / theirs:.0f}")


if __name__ == "__main__":
    main()
