"""Pareto fronts and hypervolume of two objectives that are both maximized.

Hypervolume: E. Zitzler, L. Thiele, *Multiobjective Optimization Using Evolutionary Algorithms - A Comparative Case
Study*, PPSN 1998, doi:10.1007/BFb0056872; in two dimensions a sum of rectangles over the sorted front, O(n log n).
"""

from collections.abc import Iterable, Sequence

Point = tuple[float, float]


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other point beats, by the first objective from large to small.

    Of points that are equal in both objectives, the first stays.
    """
    front: list[int] = []
    best = float("-inf")
    for i in sorted(range(len(points)), key=lambda i: (-points[i][0], -points[i][1], i)):
        if points[i][1] > best:
            front.append(i)
            best = points[i][1]
    return front


def hypervolume(points: Iterable[Point], reference: Point) -> float:
    """Area that the points dominate above ``reference``; 0 where no point beats it in both objectives."""
    above = [(x, y) for x, y in points if x > reference[0] and y > reference[1]]
    area, height = 0.0, reference[1]
    for x, y in (above[i] for i in pareto_front(above)):
        area += (x - reference[0]) * (y - height)
        height = y
    return area


def hypervolume_history(points: Sequence[Point], reference: Point) -> list[float]:
    """The hypervolume after each point, in the order in which they were found."""
    history: list[float] = []
    front: list[Point] = []
    for point in points:
        candidates = [*front, point]
        front = [candidates[i] for i in pareto_front(candidates)]
        history.append(hypervolume(front, reference))
    return history
