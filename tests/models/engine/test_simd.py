"""What the vector instructions become on processors that are not here: their assembly is looked at, not run."""

import llvmlite.binding as llvm
import numba
import pytest

from primesvt.models.engine import simd


def assembly(processor: str) -> str:
    """Of the sums of 64 outputs at once, for a processor by LLVM's name."""

    @numba.njit("void(intp, intp, intp, intp, intp)")
    def add(total: int, rows: int, indices: int, values: int, count: int) -> None:
        simd.add_rows(64, False, total, rows, indices, values, count)

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    (code,) = add.inspect_llvm().values()
    module = llvm.parse_assembly(code)
    target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
    module.triple = target.triple
    return str(target.create_target_machine(cpu=processor, opt=3).emit_assembly(module))


@pytest.mark.parametrize(("processor", "register"), [("haswell", "ymm"), ("skylake-avx512", "zmm"), ("znver4", "zmm")])
def test_sums_are_in_the_widest_registers_of_a_processor(processor: str, register: str) -> None:
    added = [line for line in assembly(processor).splitlines() if "vaddps" in line]
    assert len(added) >= {"ymm": 8, "zmm": 4}[register]
    assert all(register in line for line in added)
