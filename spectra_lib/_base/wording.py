"""Numbers as they read in texts and tables."""

from __future__ import annotations

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Digits of an exponent."""


def figure(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, a whole one in full.

    Parameters
    ----------
    value : float
        A finite number.
    digits : int
        Significant digits; from 1000 on, the whole part is written in full.

    Returns
    -------
    str
        With thousands separated by commas and a true minus sign.

    Examples
    --------
    >>> figure(15717.0), figure(0.12345), figure(-0.0), figure(-2.5), figure(3.33e-16, digits=2)
    ('15,717', '0.123', '0', '−2.5', '3.3·10⁻¹⁶')
    """
    if float(value).is_integer():
        text = f"{int(value):,}"
    else:
        text = f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    number, _, power = text.partition("e")
    return (f"{number}·10{str(int(power)).translate(RAISED)}" if power else number).replace("-", "−")


def signed(value: float) -> str:
    """Write a change with its sign and one decimal.

    Parameters
    ----------
    value : float
        The change, in any unit.

    Returns
    -------
    str

    Examples
    --------
    >>> signed(5.34), signed(-0.26), signed(-0.01)
    ('+5.3', '−0.3', '+0.0')
    """
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write how many there are, in the singular or the plural.

    Parameters
    ----------
    number : int
        How many.
    one : str
        The noun in the singular.
    many : str, optional
        Its plural; by default `one` with an s.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "run"), counted(0, "run"), counted(4500, "spectrum", "spectra")
    ('1 run', '0 runs', '4,500 spectra')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def scientific(value: float, digits: int = 1) -> str:
    """Write a number as digits times a power of ten.

    Parameters
    ----------
    value : float
        A finite number.
    digits : int
        Decimals of the factor before the power.

    Returns
    -------
    str

    Examples
    --------
    >>> scientific(0.0421), scientific(3e-7, 0), scientific(0.0)
    ('4.2·10⁻²', '3·10⁻⁷', '0')
    """
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(RAISED)}"
