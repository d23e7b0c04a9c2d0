"""The same work done with MLIR's own C++ parser and plain Python, to compare with.

    python benches/mlir_parse.py FILE [FILE ...] [-n TIMES] [--source SCOPE] [--sink TEXT]

Per file: the time `ir.Module.parse` takes (a fresh context each time, made outside the clock; threads off), and
a plain reachability over the parsed module: every value that depends on an operation inside the named scope
SCOPE, and the results of `main` among them whose `jax.result_info` contains TEXT.

The reachability goes by whole operations, the coarsest that is sound for dependence through values: all results
of an operation depend on all its operands and on what its regions return, all results of a call on all its
arguments and on what the callee reads in the scope. It follows one step only, and knows neither single elements
nor what an operation computes. Parsing is not counted in its time.
"""

import argparse
import pathlib
import re
import statistics
import time

from jax._src.interpreters import mlir as jax_mlir
from jaxlib.mlir import ir


def fresh_context():
    context = jax_mlir.make_ir_context()
    context.enable_multithreading(False)
    return context


def time_parse(text, times):
    seconds = []
    for _ in range(times):
        context = fresh_context()
        with context:
            start = time.perf_counter()
            module = ir.Module.parse(text)
            seconds.append(time.perf_counter() - start)
        del module
    return seconds


# --- a plain reachability ---------------------------------------------------------------------------------------


def reads_in_scope(location, scope, known):
    """Whether the outermost name of a location goes through the scope, and not as the transpose of it."""
    name = getattr(location, "name_str", "")
    if name not in known:
        known[name] = "transpose(" not in name and scope in re.split(r"[/()]", name)
    return known[name]


def symbol(operation, attribute):
    return str(operation.attributes[attribute]).strip('@"')


def reach(module, scope, sink):
    operations, sources, functions, calls, known = 0, [], {}, {}, {}

    def visit(operation):
        nonlocal operations
        operations += 1
        if operation.name == "func.func":
            functions[symbol(operation, "sym_name")] = operation
        elif operation.name == "func.call":
            calls.setdefault(symbol(operation, "callee"), []).append(operation)
        if reads_in_scope(operation.location, scope, known):
            sources.append(operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)

    reached, todo = set(sources), list(sources)

    def colour(operation):
        if operation not in reached:
            reached.add(operation)
            todo.append(operation)

    def colour_arguments(operation):
        for region in operation.regions:
            for block in region.blocks:
                for argument in block.arguments:
                    for use in argument.uses:
                        colour(use.owner.operation)

    while todo:
        operation = todo.pop()
        for result in operation.results:
            for use in result.uses:
                colour(use.owner.operation)
        if operation.name == "func.return":
            # Only what the function holds itself gets here, never what one call gave it: bodies are not entered.
            for call in calls.get(symbol(operation.parent, "sym_name"), ()):
                colour(call)
        elif operation.name.endswith(".return"):
            colour(operation.parent.operation)
        colour_arguments(operation)

    main = functions["main"]
    returned = main.regions[0].blocks[0].operations[-1].operation
    wanted, leaking = 0, []
    for value, attributes in zip(returned.operands, main.attributes["res_attrs"]):
        info = str(attributes["jax.result_info"]).strip('"')
        if sink in info:
            wanted += 1
            if not isinstance(value, ir.BlockArgument) and value.owner.operation in reached:
                leaking.append(info)
    return operations, len(sources), len(reached), wanted, leaking


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("-n", "--times", type=int, default=10)
    parser.add_argument("--source", default="probe_reward")
    parser.add_argument("--sink", default="['beliefs']")
    arguments = parser.parse_args()
    for path in arguments.files:
        text = path.read_text()
        size = len(text.encode()) / 1e6
        seconds = time_parse(text, arguments.times)
        best, middle = min(seconds), statistics.median(seconds)
        print(f"{path.name}: {size:.3f} MB")
        print(f"  parse: min {best:.4f} s, median {middle:.4f} s of {arguments.times} ({size / best:.1f} MB/s)")
        with fresh_context():
            module = ir.Module.parse(text)
        start = time.perf_counter()
        operations, sources, reached, wanted, leaking = reach(module, arguments.source, arguments.sink)
        print(
            f"  reach: {time.perf_counter() - start:.4f} s, {operations} operations, {sources} in {arguments.source}, "
            f"{reached} reached, {len(leaking)} of {wanted} results with {arguments.sink}"
        )
        for info in leaking[:3]:
            print("   ", info)


if __name__ == "__main__":
    main()
