"""Which element of a result depends on which element of an input: measured, and as `asdex` detects it.

    pip install asdex && python benches/asdex_side_by_side.py           # writes fixtures/dependence
    python benches/asdex_side_by_side.py --check                        # write nothing, exit 1 if a file would differ

`asdex` (https://pypi.org/project/asdex) finds the sparsity of a Jacobian by index sets on the jaxpr. It is the nearest
thing to a check by elements, and not the same: it asks for derivatives, so a predicate, an index or a sort order is
no dependence to it, and it may count more than there is. Each function is small, takes arrays of floats and returns
one. The measured pattern is what changed when one input element was changed: a fact where it says 1, and where it
says 0 no difference was found at all points.

Per function: `NAME.mlir`, its StableHLO with locations, and `NAME.json`, the patterns as strings of 0 and 1, one
string for each output element, one character for each input element, all inputs in a row, flat and row-major.
"""

import argparse
import json
import pathlib
import sys
import time

import asdex
import jax
import jax.numpy as jnp
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "fixtures/dependence"
POINTS, CHANGES = 24, (0.3, -1.0, 5.0)
jax.config.update("jax_hlo_source_file_canonicalization_regex", r"^.*/(?=benches/)|^.*/site-packages/")

ROWS = np.array([2, 0, 2])
MASK = np.array([[True, False, False, True], [False, True, True, False], [True, True, False, False]])
WEIGHTS = np.linspace(0.5, 1.5, 12, dtype=np.float32).reshape(3, 4)


def slice_concatenate(x):
    """Two windows that overlap, one of them backwards."""
    return jnp.concatenate([x[1:6], x[4:][::-1]])


def reshape_transpose(x):
    """Rows become columns, groups of two are summed."""
    return x.T.reshape(6, 2).sum(axis=1)


def batched_product(x, y):
    """A product keeps its batch apart."""
    return jnp.einsum("bij,bjk->bik", x, y)


def constant_product(x):
    """A product with constants keeps the other dimension apart."""
    return x @ WEIGHTS


def gather_rows(x):
    """Constant indices, one of them twice, one row never."""
    return x[ROWS] * 2.0


def update_slice(x, y):
    """Constant starts, and the second one is clamped."""
    buffer = jax.lax.dynamic_update_slice(jnp.zeros(8), x, (0,))
    return jax.lax.dynamic_update_slice(buffer, y, (6,))


def scan_stacked(x, y):
    """A scan over stacked layers: what leaves layer i depends on the layers up to i, column by column."""

    def layer(stream, p):
        stream = jnp.tanh(stream + p)
        return stream, stream

    return jax.lax.scan(layer, x, y)[1]


def scan_last_layers(x, y):
    """A scan over the last two of four layers does not read the first two."""

    def layer(stream, p):
        return jnp.tanh(stream * p), None

    return jax.lax.scan(layer, x, y[2:])[0]


def where_mask(x, y):
    """A constant mask takes each element from one side."""
    return jnp.where(MASK, x, y.T)


def multiply_mask(x, y):
    """The same mask by multiplication: as far as scores are finite, the same elements."""
    mask = MASK.astype(np.float32)
    return mask * x + (1.0 - mask) * y.T


def ravelled_groups(x, y):
    """Two groups ravelled into one vector, updated element by element, and the first one read back."""
    flat = jnp.concatenate([x.ravel(), y.ravel()])
    moment = 0.1 * flat
    update = moment / (jnp.sqrt(jnp.square(flat)) + 1.0)
    return update[: x.size].reshape(x.shape)


def ravelled_clip(x, y):
    """The same vector, clipped by its norm: everything meets."""
    flat = jnp.concatenate([x.ravel(), y.ravel()])
    update = flat / jnp.maximum(1.0, jnp.linalg.norm(flat))
    return update[: x.size].reshape(x.shape)


def sort_rows(x):
    """Rows are sorted, each on its own."""
    return jnp.sort(x, axis=1)


def iota_mask(x, y):
    """A mask that the function computes from a count."""
    return jnp.where(jax.lax.iota(np.int32, 6) < 3, x, y)


def loop_write(x):
    """A loop writes the first two rows of a stack of zeros; two more stay zero."""
    rows = jnp.zeros((4, 3))
    return jax.lax.fori_loop(0, 2, lambda i, rows: rows.at[i].set(x[i]), rows)


def gate(x, y):
    """One predicate for all, and no derivative of it."""
    return jnp.where(x.sum() > 0, y, -y)


INPUTS = {
    slice_concatenate: [(9,)],
    reshape_transpose: [(4, 3)],
    batched_product: [(2, 2, 3), (2, 3, 2)],
    constant_product: [(4, 3)],
    gather_rows: [(4, 3)],
    update_slice: [(5,), (4,)],
    scan_stacked: [(3,), (4, 3)],
    scan_last_layers: [(3,), (4, 3)],
    where_mask: [(3, 4), (4, 3)],
    multiply_mask: [(3, 4), (4, 3)],
    ravelled_groups: [(2, 3), (5,)],
    ravelled_clip: [(2, 3), (5,)],
    sort_rows: [(3, 4)],
    iota_mask: [(6,), (6,)],
    loop_write: [(4, 3)],
    gate: [(3,), (4,)],
}


def sample(shapes, seed):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def measured(function, shapes):
    """Rows are output elements, columns input elements: whether a change of the one ever changed the other."""
    run = jax.jit(function)
    base = sample(shapes, 0)
    pattern = np.zeros((np.asarray(run(*base)).size, sum(x.size for x in base)), bool)
    for seed in range(POINTS):
        base = sample(shapes, seed)
        result = np.asarray(run(*base)).ravel().view(np.uint32)
        column = 0
        for number, x in enumerate(base):
            for element in range(x.size):
                for change in CHANGES:
                    other = [a.copy() for a in base]
                    other[number].ravel()[element] += np.float32(change)
                    pattern[:, column] |= np.asarray(run(*other)).ravel().view(np.uint32) != result
                column += 1
    return pattern


def detected(function, shapes, times=5):
    """The pattern that asdex finds, and its least time in seconds."""
    args, spent = sample(shapes, 0), []
    for _ in range(times):
        jax.clear_caches()
        start = time.perf_counter()
        found = asdex.jacobian_sparsity(function, *args, argnums=tuple(range(len(args))))
        spent.append(time.perf_counter() - start)
    return np.asarray(found.todense()) != 0, min(spent)


def strings(pattern):
    return ["".join("01"[bit] for bit in row) for row in pattern.astype(int)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    stale = False
    print(f"{'function':20} {'elements':>9} {'measured':>9} {'asdex':>6} {'missed':>7} {'too many':>9} {'asdex ms':>9}")
    for function, shapes in INPUTS.items():
        name, truth = function.__name__, measured(function, shapes)
        try:
            found, seconds = detected(function, shapes)
        except Exception as error:  # one function that it cannot read must not end the table
            found, seconds = None, float("nan")
            print(f"{name}: asdex: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
        record = {
            "about": function.__doc__,
            "inputs": [list(shape) for shape in shapes],
            "output": list(jax.eval_shape(function, *sample(shapes, 0)).shape),
            "nonzeros": int(truth.sum()),
            "asdex_nonzeros": None if found is None else int(found.sum()),
            "depends": strings(truth),
            "asdex_depends": None if found is None else strings(found),
        }
        jax.clear_caches()
        text = jax.jit(function).lower(*sample(shapes, 0)).as_text(debug_info=True).rstrip("\n") + "\n"
        files = {f"{name}.mlir": text, f"{name}.json": json.dumps(record, indent=1) + "\n"}
        for file, content in files.items():
            path = FOLDER / file
            if not options.check:
                path.write_text(content)
            elif not path.exists() or path.read_text() != content:
                stale = True
                print(f"differs  {file}")
        missed = "-" if found is None else int((truth & ~found).sum())
        more = "-" if found is None else int((found & ~truth).sum())
        count = "-" if found is None else int(found.sum())
        print(f"{name:20} {truth.size:9} {truth.sum():9} {count:>6} {missed:>7} {more:>9} {seconds * 1e3:9.1f}", flush=True)
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
