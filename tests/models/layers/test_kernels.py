"""Compiling where the machine code can be kept, and where it cannot."""

from primesvt.models.layers import kernels


def test_kernels_compile_where_nothing_can_be_cached(monkeypatch) -> None:
    """Of a read-only installation in a container without a home numba says `no locator available`."""

    def njit(*, cache: bool = False, **_options: object):
        def decorate(function):
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return decorate

    monkeypatch.setattr(kernels, "njit", njit)
    assert kernels.compiled(lambda x: x + 1)(1) == 2
