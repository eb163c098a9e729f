"""What a command imports, which is what it takes to start: by modules, as times differ from machine to machine."""

import subprocess
import sys

import pytest

SLOW = {
    "PIL", "google", "llvmlite", "matplotlib", "numba", "onnx", "onnxruntime", "optuna", "pandas", "plotly", "scipy",
    "sklearn", "spikingjelly", "sqlalchemy", "sympy", "torch", "torch._dynamo", "torchvision",
}  # fmt: skip
# Runs the command line as the console script does, and says on the error stream which of the slow ones it imported.
RUN = """
import sys
from primesvt.studies.main import main
try:
    code = main()
except SystemExit as stop:
    code = stop.code
sys.stderr.write("imported: " + " ".join(sorted({slow!r} & set(sys.modules))))
sys.exit(code)
"""


def started(*words: str) -> tuple[int, str, set[str]]:
    """Code, output, and the slow modules that were imported."""
    ran = subprocess.run([sys.executable, "-c", RUN.format(slow=SLOW), *words], capture_output=True, text=True)
    said, _, imported = ran.stderr.rpartition("imported: ")
    return ran.returncode, ran.stdout + said, set(imported.split())


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--help",), 0, "Search for a plan that keeps the limits"),
        (("--version",), 0, "primesvt "),
        (("serch", "demo"), 2, "did you mean search?"),
    ],
)
def test_what_only_talks_imports_nothing_slow(words: tuple[str, ...], code: int, text: str) -> None:
    returned, said, imported = started(*words)
    assert (returned, imported) == (code, set())
    assert text in said


def test_a_model_is_looked_at_with_pytorch_alone() -> None:
    returned, said, imported = started("layers", "demo")
    assert (returned, imported) == (0, {"torch"})
    assert "blocks.0.hidden" in said
