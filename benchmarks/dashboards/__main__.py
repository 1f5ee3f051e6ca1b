"""`python -m benchmarks.dashboards --findings N`: the same on another size, to look at."""

import argparse
from statistics import median

from benchmarks.dashboards.opening import measure
from benchmarks.parts import open_parts


def main() -> None:
    """Prints what it measured and keeps nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboards", description=__doc__)
    parser.add_argument("--findings", type=int, default=20_000)
    findings = parser.parse_args().findings
    with open_parts() as parts:
        figures = measure(parts, findings)
    for figure in figures:
        sides = f"{median(figure.product):.2f} {figure.unit}; {median(figure.peer):.2f}"
        print(f"{figure.measure}: {sides}: {figure.peer_is}; ratio {figure.ratio:.2f}")


if __name__ == "__main__":
    main()
