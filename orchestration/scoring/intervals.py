"""How sure a share is: the interval around it. Pure arithmetic; what is counted, others know."""

from statistics import NormalDist


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's score interval at 95 % for a share of `hits` in `of` (1 or more) trials."""
    z = NormalDist().inv_cdf(0.975)
    share = hits / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * (share * (1 - share) / of + z**2 / (4 * of**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
