"""A plan as lines of text, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator

from ops.training.planning.plan import Plan

GIB = 2**30
PHASES = {
    "passes": "forward and backward",
    "optimizer": "the optimizer's step",
    "average": "the average's step",
    "validation": "validation, without activations",
    "companions": "what learns beside it",
    "encoding": "encoding on the way",
}


def lines(plan: Plan) -> list[str]:
    return list(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    memory, hardware = plan.memory, plan.hardware
    yield f"{plan.asset} of preset {plan.preset}: {plan.steps:,} steps of {plan.batch_size:,} samples"
    yield _row("launch", plan.launch)
    yield _row("engine", plan.engine)
    yield _row("parameters", f"{plan.parameters:,}")
    yield _row("largest bucket", f"{plan.bucket}, {plan.micro_batch} sample(s) at once on a rank")
    for name, size in memory.held.items():
        yield _row(name, _gib(size))
    yield _row("gradients, most", _gib(memory.gradients))
    yield _row("activations, most", _gib(memory.activations))
    if plan.activations_kept and plan.activations_recomputed:
        yield _row("  kept", _gib(plan.activations_kept))
        yield _row("  recomputed", _gib(plan.activations_recomputed))
    for name, size in memory.host.items():
        yield _row(f"host: {name}", _gib(size))
    phase = max(memory.peaks, key=memory.peaks.__getitem__)
    yield _row("a rank, at most", f"{_gib(plan.needed)}, in {PHASES[phase]}")
    there = (
        "unknown: set launch.model or launch.memory_gib"
        if hardware.memory_gib is None
        else _amount(hardware.memory_gib)
    )
    yield _row("memory there is", f"{there} ({hardware.name})" if hardware.memory_gib else there)
    yield _row("tokens a step", f"{plan.tokens_a_step:,}")
    yield _row("FLOPs a step", f"{plan.flops_a_step:.3g}, forward and backward")
    peak = f"{hardware.tflops:.3g} TFLOP/s a rank" if hardware.tflops else "unknown"
    yield _row("peak", peak)
    yield _row("", hardware.peak_source)
    if plan.days is not None:
        yield _row("time", f"{_duration(plan.days)} at {plan.utilisation:.0%} of it (launch.utilisation)")
    for name, size in plan.disk.items():
        yield _row(f"disk: {name}", _gib(size))
    for name in plan.uncounted:
        yield _row("", f"without {name}, which is not here yet")
    if plan.samples is None:
        yield _row("", "before there is a training set, of the largest bucket")


def _row(name: str, value: str) -> str:
    return f"  {name:<18} {value}"


def _gib(size: int) -> str:
    return _amount(size / GIB)


def _amount(gib: float) -> str:
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{gib * 1024:,.1f} MiB"


def _duration(days: float) -> str:
    for unit, size in (("days", 1.0), ("hours", 24.0), ("minutes", 1440.0)):
        if days * size >= 1:
            return f"{days * size:,.1f} {unit}"
    return f"{days * 86400:,.1f} seconds"
