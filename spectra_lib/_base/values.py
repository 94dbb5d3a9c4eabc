"""Frozen values that explain what is wrong with them, and the hash that identifies one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from spectra_lib._base.errors import SpecificationError, explain


class Value(BaseModel):
    """A frozen pydantic value that refuses unknown fields and explains what is wrong with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, data: Mapping[str, Any], what: str) -> Self:
        """Validate a mapping; `what` names its origin in the error.

        Parameters
        ----------
        data : mapping of str to object
            Fields by name.
        what : str
            Origin of the data, for the error.

        Returns
        -------
        Self

        Raises
        ------
        SpecificationError
            If a field is missing, unknown or out of its range.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise SpecificationError(explain(error, what)) from None


def canonical_digest(data: object) -> str:
    """SHA-256 of a JSON value with sorted keys and no white space.

    Parameters
    ----------
    data : object
        Anything that JSON can hold, without NaN and infinities.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        If JSON has no form for something in it.
    ValueError
        If a number is not finite.

    Examples
    --------
    >>> canonical_digest({"b": 1, "a": 2}) == canonical_digest({"a": 2, "b": 1})
    True
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
