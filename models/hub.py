"""Model directories on the Hugging Face hub: ``hf://OWNER/NAME[@REVISION]`` is a model's name wherever one is wanted.

``huggingface_hub`` is an extra, and is imported when such a name is met.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from .errors import PrimeSVTError

SCHEME = "hf://"
_NAME = re.compile(r"(?:hf://)?(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^\s@]+))?", re.ASCII)
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN"
_FORBIDDEN = (401, 403)


@dataclass(frozen=True)
class HubName:
    """The name of a model on the hub.

    Args:
        repository: Owner and name, with a slash between them.
        revision: A branch, a tag or a commit; None is the main branch.
    """

    repository: str
    revision: str | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """From ``OWNER/NAME`` or ``hf://OWNER/NAME``, with ``@REVISION`` or without.

        Raises:
            PrimeSVTError: It is something else.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            raise PrimeSVTError(
                f"{text!r} is no name of a model on the hub; expected OWNER/NAME or {SCHEME}OWNER/NAME, with @REVISION "
                "or without."
            )
        return cls(found["repository"], found["revision"])

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}{f'@{self.revision}' if self.revision else ''}"


def is_hub_name(text: object) -> bool:
    """Whether a model is meant that lies on the hub."""
    return isinstance(text, str) and text.startswith(SCHEME)


def download(name: HubName, config: str, files: Sequence[str]) -> Path:
    """Bring files of a model into the hub's cache; what is there already is not fetched again.

    Args:
        name: The model.
        config: The file that tells a model of PrimeSVT from others; nothing else is fetched of those.
        files: All that are wanted, where they are there.

    Returns:
        The directory in the cache.

    Raises:
        PrimeSVTError: The extra is missing, there is no such model, the hub does not answer and the cache does not have
            it, or it is no model of PrimeSVT.
    """
    folder = _snapshot(name, [config])
    try:
        told = json.loads((folder / config).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict) or "family" not in told:
        raise PrimeSVTError(f"{name} holds no model of PrimeSVT: its {config} names no family, or is missing.")
    return _snapshot(name, files)


def upload(name: HubName, files: Mapping[str, Path | bytes], *, private: bool = False) -> Any:
    """Write files into a repository in one commit; repository and branch are made where they are missing.

    Args:
        name: Where to.
        files: By their names there: a file, or what is in it.
        private: Make the repository private, and refuse one that is public.

    Returns:
        The hub's ``CommitInfo``.

    Raises:
        PrimeSVTError: The extra or a token is missing, the repository is not the user's, or the hub does not answer.
    """
    with _hub(name) as hub:
        if hub.get_token() is None:
            raise PrimeSVTError(f"The hub takes no model without a token: {_LOGIN}.")
        api = hub.HfApi()
        api.create_repo(name.repository, private=private or None, exist_ok=True)
        if private and not api.model_info(name.repository).private:
            raise PrimeSVTError(f"{name.repository} is there already, and is public: nothing was uploaded.")
        if name.revision is not None:
            api.create_branch(name.repository, branch=name.revision, exist_ok=True)
        return api.create_commit(
            name.repository,
            [hub.CommitOperationAdd(path_in_repo=place, path_or_fileobj=what) for place, what in files.items()],
            commit_message="A model of PrimeSVT",
            revision=name.revision,
        )


def _snapshot(name: HubName, files: Sequence[str]) -> Path:
    with _hub(name) as hub:
        return Path(hub.snapshot_download(name.repository, revision=name.revision, allow_patterns=list(files)))


@contextmanager
def _hub(name: HubName) -> Iterator[ModuleType]:
    """The hub's client, whose errors become ones for a person."""
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError as error:
        raise PrimeSVTError(
            f"{name} needs the module huggingface_hub, which is not installed: python -m pip install 'primesvt[hub]'."
        ) from error
    try:
        yield hub
    except PrimeSVTError:
        raise
    except errors.GatedRepoError as error:
        raise PrimeSVTError(f"{name} is for those whom its owner lets in: ask on its page, and {_LOGIN}.") from error
    except errors.RevisionNotFoundError as error:
        raise PrimeSVTError(f"{name.repository} is on the hub, but has no revision {name.revision!r}.") from error
    except errors.RepositoryNotFoundError as error:
        raise PrimeSVTError(
            f"There is no model {name.repository} on the hub, or it is private; where it is yours, {_LOGIN}."
        ) from error
    except errors.HFValidationError as error:
        raise PrimeSVTError(f"The hub takes no such name as {name}: {_first_line(error)}.") from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        hint = f" Your token may not write there; {_LOGIN}." if status in _FORBIDDEN else ""
        raise PrimeSVTError(f"The hub refused {name}: {_first_line(error)}.{hint}") from error
    except Exception as error:  # those of the client of HTTP, whichever it is
        raise PrimeSVTError(
            f"The hub does not answer for {name}: {_first_line(error)}. Check the network, and try again."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
