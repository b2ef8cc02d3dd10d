"""Heats: every store does the same in turns, round after round; ratios are of one round."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import one_loop
from benchmarks.contenders import OWN, Contender, Store
from benchmarks.peers.servers import Servers
from benchmarks.process import Meter
from benchmarks.report import Row, Step, medians, spread
from benchmarks.sizes import Sizes
from kvraft.cli.closed_loop import closed_loop

SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(frozen=True, slots=True)
class Heat:
    """So many callers do this; what is promised of it."""

    workload: str
    callers: int
    p50_ms: float | None = None
    """The most that our median may be."""
    times: tuple[tuple[str, float], ...] = ()
    """(kind of contender, how many times its rate ours is at least)."""

    @property
    def name(self) -> str:
        return f"{self.workload}, {self.callers} caller{'s' if self.callers > 1 else ''}"


Figures = dict[str, float]
"""Of one store in one heat of one round: rate, latencies, processor time of an operation."""


@dataclass(slots=True)
class Contest:
    """The heats, and what they gave."""

    heats: Sequence[Heat]
    names: dict[str, str] = field(default_factory=dict)
    """Kind of contender -> its name, with a version."""
    figures: dict[tuple[str, Heat], list[Figures]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By kind of contender and heat, one for each round."""

    def run(self, contenders: Sequence[Contender], sizes: Sizes, step: Step) -> None:
        """Measure everybody in every round."""
        for _ in range(sizes.rounds):
            for each in contenders:
                with each.servers() as servers:
                    one_loop.run(self._round(each, servers, sizes, step))

    async def _round(
        self, contender: Contender, servers: Servers, sizes: Sizes, step: Step
    ) -> None:
        async with contender.client(servers) as store:
            self.names[contender.kind] = store.name
            for heat in self.heats:
                if heat.workload in contender.does:
                    figures = await _heat(heat, store, servers, sizes)
                    self.figures[contender.kind, heat].append(figures)
                step()

    def rows(self, note: str = "") -> list[Row]:
        """Return everybody's rate for each heat, and what is promised of ours."""
        rows: list[Row] = []
        for heat in self.heats:
            kinds = [kind for kind in self.names if (kind, heat) in self.figures]
            rows += [
                self._rate(kind, heat, "" if rows or n else note) for n, kind in enumerate(kinds)
            ]
            if heat.p50_ms is not None:
                rows.append(self._p50(heat, heat.p50_ms))
            rows += [self._ratio(kind, heat, x) for kind, x in heat.times if kind in kinds]
        return rows

    def _rate(self, kind: str, heat: Heat, note: str) -> Row:
        figures = self.figures[kind, heat]
        own = kind == OWN
        return Row(
            heat.name if own else f"{self.names[kind]}: {heat.name}",
            "1/s",
            spread([each["rate"] for each in figures]),
            note=note,
            workload=heat.name,
            store=self.names[kind],
            details=medians(figures),
        )

    def _p50(self, heat: Heat, most: float) -> Row:
        times = [each["p50_ms"] for each in self.figures[OWN, heat]]
        name = f"{heat.name}, p50"
        return Row(name, "ms", spread(times), {"median": most}, workload=heat.name)

    def _ratio(self, kind: str, heat: Heat, least: float) -> Row:
        pairs = zip(self.figures[OWN, heat], self.figures[kind, heat], strict=True)
        return Row(
            f"{heat.name} / {self.names[kind]}",
            "times",
            spread([own["rate"] / peer["rate"] for own, peer in pairs]),
            least={"median": least},
            workload=heat.name,
        )


async def _heat(heat: Heat, store: Store, servers: Servers, sizes: Sizes) -> Figures:
    await store.prepare(heat.callers)
    meter = Meter(servers.pids, store.leader)
    measured = await closed_loop(
        store.operations[heat.workload],
        heat.callers,
        sizes.heat_s,
        warm_s=sizes.heat_warm_s,
        at_edge=meter.mark,
    )
    if not measured.took_ms:
        raise RuntimeError(f"{store.name}, {heat.name}: nothing was done; {measured.first_error}")
    times = {name: measured.quantile_ms(share) or 0.0 for name, share in SHARES.items()}
    return {
        "rate": measured.rate,
        **times,
        **meter.of_each(len(measured.took_ms)),
        "unknown": float(measured.unknown),
        "failed": float(measured.failed),
    }
