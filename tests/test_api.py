"""``import primesvt``: quick, and everything it promises is there, whatever was imported before."""

import inspect
import subprocess
import sys

import primesvt
import primesvt.search.samplers


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_everything_promised_is_there() -> None:
    for name in primesvt.__all__:
        assert getattr(primesvt, name) is not None, name
    assert set(primesvt.__all__) <= set(dir(primesvt))
    assert not hasattr(primesvt, "nothing")


def test_the_folder_search_can_be_called() -> None:
    assert primesvt.search.samplers.PRIORITIZED.name == "prioritized"
    assert "max_drop" in inspect.signature(primesvt.search).parameters
    assert "folder" not in str(inspect.signature(primesvt.search))


def test_importing_it_imports_nothing_slow() -> None:
    code = "import sys, primesvt; print([name for name in ('torch', 'optuna', 'numpy') if name in sys.modules])"
    assert run(code) == "[]"
