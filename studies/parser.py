"""What reads the command line: argparse, with one line where something is wrong, what was meant, and ``--config``."""

import argparse
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from primesvt.models import PrimeSVTError, meant

from .exit_codes import BAD_INPUT
from .options_file import options_text, read_options, words_of
from .running.storage_url import without_password
from .versions import package_version

# As argparse words it, of whatever version.
_CHOICE = re.compile(r"invalid choice: '?(?P<name>.*?)'? \(choose from (?P<known>.*)\)")
# Where the parser keeps the file of options, and what no such file says.
FILE = "options_file"
_OWN = (FILE, "help")
_UNKNOWN = re.compile(r"unrecognized arguments: (?P<flag>--[^\s=]+)")


class ExplainingParser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong, what was meant, and where to read on."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit."""
        message = self.explained(message).removesuffix(".")
        self.exit(BAD_INPUT, f"{self.prog}: {message}{'' if message.endswith('?') else ';'} see '{self.prog} --help'\n")

    def explained(self, message: str) -> str:
        """The message with what was meant."""
        if (choice := _CHOICE.search(message)) is not None:
            known = [name.strip(" '") for name in choice["known"].split(",")]
            return message + meant(choice["name"], known)
        if (unknown := _UNKNOWN.search(message)) is not None:
            return message + meant(unknown["flag"], self.flags())
        return message

    def flags(self) -> list[str]:
        """Every flag that the help shows."""
        return [flag for each in self._actions if each.help != argparse.SUPPRESS for flag in each.option_strings]


class CommandParser(ExplainingParser):
    """The parser of a command, whose options may stand in a file, too: ``--config``.

    What was said, there or on the command line, is in what it reads, as ``options_text``: the file with which the
    command can be run again.
    """

    # Names of all commands, once they are known.
    commands: Collection[str] = ()
    # Declares the command's options; None once that is done.
    declare: Callable[[], None] | None = None

    def complete(self) -> None:
        """Declare the options: what they come from is imported when a command is wanted, and not before."""
        declare, self.declare = self.declare, None
        if declare is not None:
            declare()

    def add_config(self) -> None:
        """Declare --config."""
        self.add_argument(
            "--config",
            dest=FILE,
            metavar="FILE",
            help="options from a TOML file: flags without dashes, flat or in a table with the command's name; the "
            "command line wins",
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Read the words of a command; what is unknown is refused here, where it is known what was meant."""
        self.complete()
        words = list(args or ())
        words = [*self._from_file(words), *words]
        namespace, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        said = [(action, _safe(text)) for action, text in self._said(words) if action.dest not in _OWN]
        namespace.options_text = options_text(self._command, said, package_version("primesvt"))
        return namespace, rest

    @property
    def _command(self) -> str:
        return self.prog.split()[-1]

    def _from_file(self, words: Sequence[str]) -> list[str]:
        """The words of the file that the command line names."""
        said = list(self._said(words))
        files = [text for action, text in said if action.dest == FILE and text is not None]
        if not files:
            return []
        file, placed = Path(files[-1]), {action.dest for action, _ in said if not action.option_strings}
        known = {flag[2:]: action for action in self._actions for flag in action.option_strings if flag[:2] == "--"}
        known |= {action.dest: action for action in self._actions if not action.option_strings}
        known = {key: action for key, action in known.items() if action.dest not in _OWN}
        found: list[str] = []
        try:
            for key, value in read_options(file, self._command, self.commands).items():
                if key not in known:
                    guess = meant(key, known) or "."
                    raise PrimeSVTError(f"{file}: {self.prog} has no option {key!r}{guess}")
                flag = f"--{key}" if known[key].option_strings else None
                if flag is not None or known[key].dest not in placed:
                    found += words_of(key, value, flag, known[key])
        except PrimeSVTError as error:
            self.error(f"argument --config: {error}".rstrip("."))
        return found

    def _said(self, words: Sequence[str]) -> Iterator[tuple[argparse.Action, str | None]]:
        """The options that words say, in their order, each with its text; what argparse will refuse is passed over."""
        places = iter([action for action in self._actions if not action.option_strings])
        rest = iter(words)
        for word in rest:
            flag, equals, text = word.partition("=")
            if not word.startswith("-") or word == "-":
                if (place := next(places, None)) is not None:
                    yield place, word
            elif (action := self._action(flag)) is None:
                # -oDIR in one word.
                if (action := self._action(word[:2])) is not None:
                    yield action, word[2:]
            else:
                yield action, None if action.nargs == 0 else text if equals else next(rest, "")

    def _action(self, flag: str) -> argparse.Action | None:
        """What a flag means, which may be cut short where that is plain."""
        exact = [action for action in self._actions if flag in action.option_strings]
        short = [a for a in self._actions if flag[:2] == "--" and any(o.startswith(flag) for o in a.option_strings)]
        return exact[0] if exact else short[0] if len(short) == 1 else None


def _safe(text: str | None) -> str | None:
    return without_password(text) if text is not None and "://" in text else text
