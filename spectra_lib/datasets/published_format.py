"""The layout of the published specification files."""

from __future__ import annotations

from typing import Any

from spectra_lib._base.errors import SpecificationError

_PUBLISHED_FIELDS = {
    "datapoints": "n_points",
    "classes": "n_classes",
    "min_peaks": "min_peaks",
    "max_peaks": "max_peaks",
    "boundary": "boundary",
    "max_height": "max_height",
}


def from_published_layout(data: dict[str, Any], source: str) -> dict[str, Any]:
    """Translate a specification in the published layout into fields of `DatasetSpec`.

    Parameters
    ----------
    data : dict
        Content of the file: ``datapoints``, ``classes``, ``spectra`` ...
    source : str
        Where it comes from, for the error.

    Returns
    -------
    dict of str to object
        Fields by name, not yet validated.

    Raises
    ------
    SpecificationError
        If a field is missing, or the classes are not numbered from 0.

    Examples
    --------
    >>> fields = dict.fromkeys(_PUBLISHED_FIELDS, 2) | {"spectra": {}}
    >>> from_published_layout(fields, "mine.json")["n_points"]
    2
    """
    missing = [key for key in (*_PUBLISHED_FIELDS, "spectra") if key not in data]
    if missing:
        raise SpecificationError(f"{source}: the published layout needs the fields {', '.join(missing)}")
    spectra = data["spectra"]
    if not isinstance(spectra, dict):
        raise SpecificationError(f"{source}: spectra: expected an object of classes by number, received {spectra!r}")
    fingerprints = []
    for label in range(len(spectra)):
        entry = spectra.get(str(label))
        if not isinstance(entry, dict) or not {"peak_positions", "peak_heights"} <= entry.keys():
            raise SpecificationError(
                f"{source}: spectra: expected class '{label}' with peak_positions and peak_heights, "
                f"received {entry!r}; number the classes 0..{len(spectra) - 1}"
            )
        fingerprints.append({"positions": entry["peak_positions"], "heights": entry["peak_heights"]})
    fields = {ours: data[theirs] for theirs, ours in _PUBLISHED_FIELDS.items()}
    return fields | {"name": data.get("name", "published"), "fingerprints": fingerprints}
