"""The benchmark: ``nox -s bench`` prints the tables, ``-- --short`` a part of them in a minute."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from tests.bench import imports, plot, scaling, simulated, sockets
from tests.bench.simulated import Scale
from tests.bench.tables import Table

_PLOT = Path("docs/explanation/requests_and_delay.svg")
_SHORT = Scale(repetitions=1, largest=100, singles=60)


def _tables(scale: Scale, *, short: bool) -> dict[str, Callable[[], Table]]:
    waiting = [100, 1000] if short else [100, 1000, 10_000, 100_000]
    sizes = [100] if short else [1000, 10_000]
    return {
        "ratios": lambda: simulated.ratios(scale),
        "odd": lambda: simulated.odd_services(scale),
        "slower": lambda: simulated.slower_service(scale),
        "delay": lambda: simulated.for_a_delay(scale),
        "singles": lambda: simulated.one_after_the_other(scale),
        "sizes": lambda: simulated.sizes(scale),
        "scaling": lambda: scaling.per_request(waiting),
        "endings": scaling.endings,
        "imports": lambda: imports.on_import(5 if short else 25),
        "sockets": lambda: sockets.on_sockets(sizes),
    }


def _print(tables: Iterable[Callable[[], Table]]) -> int:
    console = Console(width=110)
    missed = 0
    for make in tables:
        table = make()
        table.print(console)
        missed += sum(not row.is_met for row in table.rows)
    console.print(f"{missed} goals missed")
    return missed


def main() -> None:
    """Print the tables, and draw the plot of the documentation where that is asked for."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--only", nargs="+", metavar="TABLE", help="the tables to print")
    parser.add_argument("--plot", action="store_true", help=f"draw {_PLOT}, too")
    arguments = parser.parse_args()
    scale = _SHORT if arguments.short else Scale()
    tables = _tables(scale, short=arguments.short)
    unknown = sorted(set(arguments.only or ()) - set(tables))
    if unknown:
        parser.error(f"no table {', '.join(unknown)}; there are {', '.join(tables)}")
    _print([tables[name] for name in arguments.only or tables])
    if arguments.plot:
        plot.draw(simulated.curves(scale), _PLOT)


if __name__ == "__main__":
    main()
