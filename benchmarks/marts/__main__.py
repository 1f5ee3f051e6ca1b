"""`python -m benchmarks.marts --findings N`: the same benchmark on another size, to look at."""

import argparse
from statistics import median

from benchmarks.marts.refreshing import measure
from benchmarks.parts import open_parts


def main() -> None:
    """Prints what it measured and keeps nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.marts", description=__doc__)
    parser.add_argument("--findings", type=int, default=20_000)
    findings = parser.parse_args().findings
    with open_parts() as parts:
        figures = measure(parts, findings, print)
    for figure in figures:
        sides = f"{median(figure.product):.1f} {figure.unit}; {median(figure.peer):.1f}"
        print(f"{figure.measure}: {sides}: {figure.peer_is}; ratio {figure.ratio:.2f}")


if __name__ == "__main__":
    main()
