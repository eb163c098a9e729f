"""A hook of mkdocs: notebooks become pages, as they were executed, with the figures that plotly draws.

Nothing is executed, and nothing is fetched from elsewhere: plotly's script comes from the installed package.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

_PLOTLY = "application/vnd.plotly.v1+json"
_SCRIPT = "assets/plotly.min.js"


def on_files(files: Any, *, config: Any) -> Any:
    """A page in the place of every notebook, and the script that draws their figures."""
    from mkdocs.structure.files import File
    from plotly.offline import get_plotlyjs

    notebooks = [each for each in files if each.src_uri.endswith(".ipynb")]
    for each in notebooks:
        text = markdown(json.loads(each.content_string))
        files.append(File.generated(config, f"{each.src_uri.removesuffix('.ipynb')}.md", content=text))
    if notebooks:
        files.append(File.generated(config, _SCRIPT, content=get_plotlyjs()))
    return files


def markdown(notebook: dict[str, Any]) -> str:
    """The page of a notebook, in Markdown."""
    parts = [f'<script src="../{_SCRIPT}"></script>']
    for number, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts += [f"```python\n{source}\n```", *_outputs(cell["outputs"], number)]
    return "\n\n".join(parts) + "\n"


def _outputs(outputs: Sequence[dict[str, Any]], number: int) -> Iterator[str]:
    for i, output in enumerate(outputs):
        data = output.get("data", {})
        if _PLOTLY in data:
            yield _figure(data[_PLOTLY], f"figure-{number}-{i}")
        elif "text/html" in data:
            # The style that pandas brings is that of a notebook; the site has its own.
            html = "".join(data["text/html"])
            yield f"<div>{html[html.index('<table') : html.rindex('</table>')]}</table></div>"
        else:
            text = "".join(output.get("text", data.get("text/plain", "")))
            yield f"```text\n{text.rstrip()}\n```"


def _figure(figure: dict[str, Any], name: str) -> str:
    # In a script, a closing tag within a text would end it.
    told = json.dumps(figure).replace("</", "<\\/")
    height = figure.get("layout", {}).get("height", 450)
    draw = f"f => Plotly.newPlot('{name}', f.data, f.layout, {{responsive: true}})"
    return f'<div id="{name}" style="height: {height}px"></div>\n<script>({draw})({told})</script>'
