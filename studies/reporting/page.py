"""A page that opens offline: its look on a screen, on a phone and in print, tables, and figures in it."""

import html
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1120px; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; }
p.note, li { color: #4d5663; } p.note { margin: .2rem 0 .6rem; font-size: .94rem; }
ul { padding-left: 1.2rem; margin: .6rem 0; } li { margin: .25rem 0; font-size: .94rem; }
.verdict { border-left: 5px solid #0072B2; background: #eef5fa; padding: .7rem 1rem; margin: 1rem 0; }
.verdict code { white-space: nowrap; font-size: inherit; }
.verdict p { margin: .3rem 0; } .verdict p:first-child { font-size: 1.1rem; font-weight: 600; }
.alarm { border-color: #c0392b; background: #fdf0ee; } .alarm p:first-child { color: #a5281b; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid #dfe3e8; text-align: right; vertical-align: top; }
th { font-weight: 600; vertical-align: bottom; }
th.words, td.words { text-align: left; }
tr.chosen { background: #fff6df; font-weight: 600; }
code, .command { font: .88rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
.command { display: block; background: #f3f5f7; padding: .6rem .8rem; white-space: pre-wrap; user-select: all; }
.command:empty { display: none; }
.picker { border: 1px solid #dfe3e8; padding: .8rem 1rem; margin: .6rem 0; }
.picker input { font: inherit; } .picker input[type=number] { width: 9rem; padding: .2rem .4rem; }
.picker input[type=range] { width: 100%; margin: .6rem 0; }
details { margin: .8rem 0; } summary { cursor: pointer; font-weight: 600; }
.figure { overflow: hidden; break-inside: avoid; }
@media screen and (max-width: 880px) {
  body { padding: 0 .7rem; margin-top: .8rem; } h1 { font-size: 1.3rem; }
  table.stack, table.stack tbody, table.stack tr, table.stack td { display: block; width: auto; }
  table.stack thead { display: none; }
  table.stack tr { border: 1px solid #dfe3e8; margin: 0 0 .6rem; padding: .2rem .4rem; }
  table.stack td { border: 0; display: flex; justify-content: space-between; gap: 1rem; padding: .18rem .3rem; }
  table.stack td.words { text-align: right; overflow-wrap: anywhere; }
  table.stack td::before { content: attr(data-label); color: #4d5663; font-weight: 400; text-align: left; }
  table.stack td:first-child { font-weight: 600; } table.stack td:first-child::before { content: none; }
  table.stack td:empty { display: none; }
}
@media print {
  body { max-width: none; margin: 0; font-size: 11pt; } h2, tr { break-inside: avoid; }
  h2, p.note { break-after: avoid; } table { font-size: 8.5pt; } th, td { padding: .2rem .4rem; }
  .picker, .modebar-container { display: none !important; } .command { white-space: pre-wrap; }
}
""".strip()

# Paper is narrower than a screen: plotly draws for what it finds, so it is told when a print begins and ends.
_PRINT = """
const figures = () => document.querySelectorAll(".js-plotly-plot");
addEventListener("beforeprint", () => figures().forEach(f => Plotly.relayout(f, {width: 680})));
addEventListener("afterprint", () => figures().forEach(f => Plotly.relayout(f, {width: null, autosize: true})));
""".strip()

# Buttons that help nobody here; a double click on a chart shows all of it, another one what it showed first.
_REMOVED = ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of parts in HTML."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{_STYLE}\n</style>\n<script>{get_plotlyjs()}</script>\n</head>\n<body>\n"
        + "\n".join(parts)
        + f"\n<script>\n{_PRINT}\n</script>\n</body>\n</html>\n"
    )


def figure_part(figure: go.Figure, name: str) -> str:
    """A figure; the camera button saves it as SVG.

    Args:
        figure: The figure.
        name: Of the file that the button saves, without its ending.
    """
    text: str = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={
            "displaylogo": False,
            "responsive": True,
            "displayModeBar": True,
            "modeBarButtonsToRemove": _REMOVED,
            "toImageButtonOptions": {"format": "svg", "filename": f"primesvt-{name}"},
        },
    )
    return f'<div class="figure">{text}</div>'


def heading(text: str) -> str:
    """Of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def note(text: str) -> str:
    """A sentence or two that explain what follows."""
    return f'<p class="note">{html.escape(text)}</p>'


def bullets(sentences: Sequence[str]) -> str:
    """A list; nothing where there is nothing to say."""
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in sentences)}</ul>" if sentences else ""


def html_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, marked: Sequence[bool] = (), words: Sequence[int] = (0,)
) -> str:
    """A table; on a phone every row is a card, with the header's words beside the cells.

    Args:
        header: Names of the columns.
        rows: Cells.
        marked: Which rows stand out; none where it is empty.
        words: Columns with words, which stand to the left.
    """
    kinds = ['class="words"' if column in words else "" for column in range(len(header))]
    head = "".join(f"<th {kind}>{html.escape(cell)}</th>" for cell, kind in zip(header, kinds, strict=True))
    body = "".join(
        ('<tr class="chosen">' if mark else "<tr>")
        + "".join(
            f'<td {kind} data-label="{html.escape(name)}">{html.escape(cell)}</td>'
            for cell, kind, name in zip(row, kinds, header, strict=True)
        )
        + "</tr>"
        for row, mark in zip(rows, marked or [False] * len(rows), strict=True)
    )
    return f'<table class="stack"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
