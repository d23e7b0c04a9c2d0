"""Products of matrices in `openloop run` beside single-threaded numpy, in one run on one machine.

    cargo build --release && python benches/products_side_by_side.py [-n TIMES]

Needs numpy. Both do the same product of 32-bit floats again and again, in turn: `openloop` in a loop of a module that
is written for it, and once with no turn of the loop, which is taken off, so that only products count. The least time of
each, and the ratio: at most 2, or 3 where numpy has AVX-512.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Batch, rows, contracted, columns: the products of the brain-like capture and of GPT-2 small, and square ones.
SHAPES = [(1, 96, 32, 128), (32, 12, 8, 12), (1, 128, 96, 32), (1, 256, 768, 768), (1, 256, 256, 256), (1, 512, 512, 512)]

MODULE = """
module @product {{
  func.func public @main(%limit: tensor<i32>, %a: tensor<{b}x{m}x{k}xf32>, %b: tensor<{b}x{k}x{n}xf32>) -> tensor<{b}x{m}x{n}xf32> {{
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %first = stablehlo.constant dense<0.0> : tensor<{b}x{m}x{n}xf32>
    %results:2 = stablehlo.while(%i = %zero, %last = %first) : tensor<i32>, tensor<{b}x{m}x{n}xf32>
    cond {{
      %more = stablehlo.compare LT, %i, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    }} do {{
      %product = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1]
          : (tensor<{b}x{m}x{k}xf32>, tensor<{b}x{k}x{n}xf32>) -> tensor<{b}x{m}x{n}xf32>
      %next = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %next, %product : tensor<i32>, tensor<{b}x{m}x{n}xf32>
    }}
    return %results#1 : tensor<{b}x{m}x{n}xf32>
  }}
}}
"""


def cpu_of(command):
    """The processor time of a child: on a busy machine it means more than the time that passes."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=5)
    times = parser.parse_args().n
    generator = np.random.default_rng(0)
    found = np.show_config("dicts")["SIMD Extensions"]["found"]
    has_wide = any(name == "X86_V4" or name.startswith("AVX512") for name in found)
    worst = 0
    for b, m, k, n in SHAPES:
        turns = max(20, int(2e9 / (b * m * k * n)))
        inputs = {"a": generator.uniform(-1, 1, (b, m, k)), "b": generator.uniform(-1, 1, (b, k, n))}
        inputs = {name: array.astype(np.float32) for name, array in inputs.items()}
        ours, theirs = [], []
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "product.mlir").write_text(MODULE.format(b=b, m=m, k=k, n=n))
            commands = []
            for limit in (0, turns):
                file = folder / f"{limit}.npz"
                np.savez(file, arg0=np.int32(limit), arg1=inputs["a"], arg2=inputs["b"])
                commands.append([
                    ROOT / "target/release/openloop", "run", folder / "product.mlir", "--inputs", file,
                    "-o", folder / "result.npz",
                ])
            for _ in range(times):
                ours.append((cpu_of(commands[1]) - cpu_of(commands[0])) / turns)
                start = time.process_time()
                for _ in range(turns):
                    inputs["a"] @ inputs["b"]
                theirs.append((time.process_time() - start) / turns)
        ratio = min(ours) / min(theirs)
        worst = max(worst, ratio)
        print(f"{b}x{m}x{k}x{n}: {min(ours) * 1e6:.1f} us, numpy {min(theirs) * 1e6:.1f} us, ratio {ratio:.2f}")
    print(f"worst ratio {worst:.2f}, AVX-512 for numpy: {has_wide}")


if __name__ == "__main__":
    sys.exit(main())
