"""What the local engine costs by itself: ``python benchmarks/overhead.py [--json]``.

CPU seconds (user + system, of the engine's process and all below it) for a chain of 20 steps
and for a fan-out of 100 steps that do nothing. Goals: at most 0.25 a step, at most 5 in all.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from lamflow.engine.graph import Graph, Output
from lamflow.engine.local import LocalOptions, prepare_run, start_run
from lamflow.engine.records import RunFolder, run_status
from lamflow.testing.toy_operators import AppendParams, WriteParams, append, write

CHAIN = 20
FAN_OUT = 100


def chain() -> Graph:
    graph = Graph("toy", "chain")
    last = graph.add("step-0", write, WriteParams(text="x"))
    for number in range(1, CHAIN):
        last = graph.add(f"step-{number}", append, AppendParams(), {"first": last["text"]})
    return graph


def fan_out() -> Graph:
    graph = Graph("toy", "fan-out")
    parts: dict[str, Output] = {}
    for number in range(FAN_OUT):
        parts[f"part-{number}"] = graph.add(f"part-{number}", write, WriteParams(text="x"))["text"]
    graph.add("join", append, AppendParams(), groups={"more": parts})
    return graph


def cost(graph: Graph, base: Path) -> dict[str, float]:
    """CPU and wall seconds of one run of the graph."""
    run = RunFolder(base / graph.name)
    prepare_run(run, graph, "", {}, LocalOptions())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    start_run(run).process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run_status(run)["status"] != "succeeded":
        raise SystemExit((run.path / "engine.log").read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": round(cpu, 2), "wall_s": round(time.perf_counter() - began, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = {graph.name: cost(graph, Path(folder)) for graph in (chain(), fan_out())}
    costs["chain"]["cpu_s_per_step"] = round(costs["chain"]["cpu_s"] / CHAIN, 3)
    if args.json:
        print(json.dumps(costs))
        return
    print(f"chain of {CHAIN} steps: {costs['chain']['cpu_s_per_step']} CPU s a step (goal 0.25)")
    print(f"fan-out of {FAN_OUT}: {costs['fan-out']['cpu_s']} CPU s in all (goal 5)")
    print(f"wall: {costs['chain']['wall_s']} s and {costs['fan-out']['wall_s']} s")


if __name__ == "__main__":
    main()
