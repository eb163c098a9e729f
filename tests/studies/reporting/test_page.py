"""A page that opens offline."""

import plotly.graph_objects as go

from primesvt.studies.reporting.page import bullets, figure_part, html_table, page


def test_a_page_asks_for_nothing_and_says_its_title() -> None:
    text = page("A < B", ["<p>hello</p>"])
    assert "<title>A &lt; B</title>" in text
    assert "<p>hello</p>" in text
    assert "<script src" not in text
    assert "<link" not in text
    assert "beforeprint" in text


def test_cells_are_text_and_know_their_column() -> None:
    text = html_table(["name", "a & b"], [["<i>", "1"], ["x", "2"]], marked=[False, True])
    assert '<td class="words" data-label="name">&lt;i&gt;</td>' in text
    assert '<td  data-label="a &amp; b">1</td>' in text
    assert text.count('<tr class="chosen">') == 1
    assert '<tr class="chosen"><td class="words" data-label="name">x</td>' in text


def test_nothing_to_say_is_no_list() -> None:
    assert bullets([]) == ""
    assert bullets(["a < b"]) == "<ul><li>a &lt; b</li></ul>"


def test_a_figure_can_be_saved_as_svg() -> None:
    text = figure_part(go.Figure(), "fronts")
    assert '"format": "svg", "filename": "primesvt-fronts"' in text
    assert "cdn.plot" not in text
