"""`python -m benchmarks [NAME ...]`: runs the benchmarks, shows a table, keeps the figures."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks import code_location, engine, history, ingest, landing, matching, memory, pending
from benchmarks.dashboards import opening
from benchmarks.llm import peers, rate_limits, throughput
from benchmarks.marts import refreshing
from benchmarks.measuring import Figure
from benchmarks.parts import Parts, open_parts

_BENCHMARKS: dict[str, Callable[[Parts], list[Figure]]] = {
    "landing": landing.run,
    "ingest": ingest.run,
    "pending": pending.run,
    "engine": engine.run,
    "llm": throughput.run,
    "llm-peers": peers.run,
    "rate-limits": rate_limits.run,
    "matching": matching.run,
    "code-location": code_location.run,
    "memory": memory.run,
    "marts": refreshing.run,
    "history": history.run,
    "dashboards": opening.run,
}
_RESULTS = Path(__file__).parent / "results" / "latest.json"


def main(arguments: Sequence[str]) -> None:
    """Run those named, or all. The figures of the others stay as they are in the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_BENCHMARKS))
    names = parser.parse_args(arguments).names or list(_BENCHMARKS)
    for name in names:
        if name not in _BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(_BENCHMARKS)}")
    with open_parts() as parts:
        for name in names:
            begin = time.monotonic()
            figures = _BENCHMARKS[name](parts)
            _show(name, figures, time.monotonic() - begin)
            _keep(name, figures)


def _show(name: str, figures: Sequence[Figure], seconds: float) -> None:
    """Each figure is a row with what its peer is below it."""
    table = Table(title=f"{name} ({seconds:.0f} s)", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("measure; the peer", min_width=44)
    for heading in ("product", "peer", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        table.add_row(
            Text.assemble(f"{figure.measure}, {figure.unit}\n", (figure.peer_is, "dim")),
            _number(median(figure.product)),
            _number(median(figure.peer)),
            f"{figure.ratio:.2f}",
        )
    Console().print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _keep(name: str, figures: Sequence[Figure]) -> None:
    kept: dict[str, Any] = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    kept[name] = {
        "measured_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "figures": [figure.to_json() for figure in figures],
    }
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
