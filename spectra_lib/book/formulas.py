"""Formulas as MathML, which browsers draw by themselves: an extension of Sphinx for the book.

Sphinx's usual way fetches a program from another host whenever a page is opened. A book should be
legible without a network.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.math import get_node_equation_number


def to_mathml(formula: str, block: bool = False) -> str:
    r"""Turn a formula in LaTeX into MathML.

    Parameters
    ----------
    formula : str
        What stands between the dollar signs.
    block : bool
        Whether the formula has lines of its own.

    Returns
    -------
    str
        A ``math`` element.

    Raises
    ------
    SphinxError
        If a command is not known; it stops the book with the formula's name.

    Examples
    --------
    >>> to_mathml("x_i").split()[2:-1]
    ['<msub>', '<mi>x</mi>', '<mi>i</mi>', '</msub>']
    >>> to_mathml(r"\dots")
    Traceback (most recent call last):
    ...
    sphinx.errors.SphinxError: formula '\\dots': Unknown LaTeX command "\dots".; write it with other commands
    """
    try:
        return tex2mathml(formula, as_block=block)
    except MathError as error:
        raise SphinxError(f"formula {formula!r}: {error}; write it with other commands") from error


def _visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(to_mathml(node.astext()))
    raise nodes.SkipNode


def _visit_block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate"))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this formula")
        writer.body.append("</span>")
    writer.body.append(to_mathml(node.astext(), block=True) + "</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer ``mathml``, which the setting ``html_math_renderer`` chooses.

    Parameters
    ----------
    app : Sphinx
        Sphinx, as it loads extensions.

    Returns
    -------
    dict of str to object
        What Sphinx asks of an extension: it may run in parallel.
    """
    app.add_html_math_renderer("mathml", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
