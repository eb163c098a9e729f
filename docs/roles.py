"""A hook of mkdocs: the roles of Sphinx in docstrings, such as ``:class:`~primesvt.models.DataSet```, as plain code."""

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):<code>~?(?P<name>[^<]*)</code>")


def on_page_content(html: str, **_page: Any) -> str:
    """The page without them."""
    return _ROLE.sub(r"<code>\g<name></code>", html)
