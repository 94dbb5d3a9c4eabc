"""Vector graphics of fewer bytes: coordinates without the digits that nobody can see."""

from __future__ import annotations

import re


def lighten(svg: str) -> str:
    """Cut the coordinates of paths and markers to a hundredth of a point.

    Matplotlib writes six decimals, which is most of what a spectrum's line consists of.

    Parameters
    ----------
    svg : str
        Source of a picture by Matplotlib.

    Returns
    -------
    str
        The same picture with shorter numbers.

    Examples
    --------
    >>> lighten('<path transform="scale(0.015625)" d="M 10.123456 20.5 L 1.25 3"/><use x="3.14159265"/>')
    '<path transform="scale(0.015625)" d="M 10.12 20.5 L 1.25 3"/><use x="3.14"/>'
    """
    return re.sub(r'(?<= )(?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
