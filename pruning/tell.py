"""Who is told how far a long piece of work is."""

from collections.abc import Callable

# Called with the number of steps done, and of all.
Tell = Callable[[int, int], None]
