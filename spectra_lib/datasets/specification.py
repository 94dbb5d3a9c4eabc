"""What a dataset is made from: every parameter of the paper as a field of one frozen value.

Source: Schuetzke, Szymanski & Reischl 2023, Methods, "Synthetic dataset approach", doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from spectra_lib._base.errors import SpecificationError
from spectra_lib._base.names import Name
from spectra_lib._base.values import Value, canonical_digest
from spectra_lib.datasets.published_format import from_published_layout

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


Sign = Literal[-1, 0, 1]


MAX_HEIGHT = 2.0
"""Varied heights are clipped to [0, MAX_HEIGHT] (the largest ideal height is 1)."""


FRESH_PER_CLASS = 200
"""Fresh spectra of each class on which a run is judged at its end, where the dataset does not say otherwise."""


class Fingerprint(Value):
    """The ideal peaks of one class.

    Attributes
    ----------
    positions : tuple of int
        Peak positions in points, ascending.
    heights : tuple of float
        Peak heights relative to the highest peak, each in (0, 1].

    Examples
    --------
    >>> Fingerprint(positions=(700, 3000), heights=(0.7, 1.0)).n_peaks
    2
    """

    positions: tuple[int, ...]
    heights: tuple[Positive, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.positions:
            raise ValueError("positions=() is an empty peak list; give a class at least one peak")
        if len(self.positions) != len(self.heights):
            raise ValueError(
                f"{len(self.positions)} positions but {len(self.heights)} heights; give one height for each position"
            )
        if list(self.positions) != sorted(self.positions):
            raise ValueError(f"positions={self.positions} are not ascending; sort the peaks by position")
        if max(self.heights) > 1.0:
            raise ValueError(
                f"heights={self.heights} reach above 1; divide them by their maximum ({max(self.heights)})"
            )
        return self

    @property
    def n_peaks(self) -> int:
        """Number of peaks."""
        return len(self.positions)


class Variation(Value):
    """How training and validation spectra differ from their class's fingerprint.

    Attributes
    ----------
    position_shift : int
        Each peak moves to an integer in [p - shift, p + shift), in points.
    height_change : float
        Each height is drawn from [h - change, h + change], in units of the highest ideal peak.
    width_range : tuple of float
        One Gaussian standard deviation for all peaks of a spectrum, drawn from this range, in points.
    keep_unit_heights : bool
        If true, a height of exactly 1 is not varied (the challenging set).
    """

    position_shift: Annotated[int, Field(ge=0)] = 50
    height_change: NonNegative = 0.05
    width_range: tuple[Positive, Positive] = (2.0, 5.0)
    keep_unit_heights: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.width_range
        if low > high:
            raise ValueError(f"width_range=({low}, {high}) has its minimum above its maximum; swap them")
        return self


TestPoint = tuple[Sign, Sign]
"""Direction of the common position shift and of the height change of one test spectrum."""


GRID: tuple[TestPoint, ...] = ((0, 0), (-1, 0), (1, 0), (0, 1), (-1, 1), (1, 1), (0, -1), (-1, -1), (1, -1))


class TestRuleChange(Value):
    """What one class's test spectra do differently; `None` keeps the rule's own value.

    Attributes
    ----------
    shift, height_change, points : int, float, tuple of (int, int), or None, as in `TestRule`
    """

    __test__ = False  # not a pytest class

    shift: Annotated[int, Field(ge=0)] | None = None
    height_change: NonNegative | None = None
    points: tuple[TestPoint, ...] | None = None


class TestRule(Value):
    """The test spectra of a class: a fixed pattern of common shifts and height changes.

    In each test spectrum all peaks move together, and all heights other than exactly 1 change by the same amount.

    Attributes
    ----------
    shift : int
        Size of the common position shift, in points.
    height_change : float
        Size of the common height change.
    width : float
        Gaussian standard deviation of the test peaks, in points.
    points : tuple of (int, int)
        For each test spectrum, the signs of shift and height change.
    changes : dict of int to TestRuleChange
        Classes whose values were set by hand, by class index.
    """

    __test__ = False

    shift: Annotated[int, Field(ge=0)] = 30
    height_change: NonNegative = 0.04
    width: Positive = 2.0
    points: tuple[TestPoint, ...] = GRID
    changes: dict[Annotated[int, Field(ge=0)], TestRuleChange] = Field(default_factory=dict)

    def for_class(self, label: int) -> tuple[int, float, tuple[TestPoint, ...]]:
        """Shift, height change and sign pattern that hold for one class.

        Parameters
        ----------
        label : int

        Returns
        -------
        shift, height_change, points : int, float, tuple of (int, int)
        """
        change = self.changes.get(label, TestRuleChange())
        return (
            self.shift if change.shift is None else change.shift,
            self.height_change if change.height_change is None else change.height_change,
            self.points if change.points is None else change.points,
        )


Range = tuple[NonNegative, NonNegative]
"""Smallest and largest value of a level that each spectrum draws for itself."""


class Realism(Value):
    """What measured spectra have and the paper's do not; all of it is off by default.

    Training, validation and test spectra are treated alike. Everything is drawn by generators of its own,
    so that a spectrum keeps its peaks, and each kind its pattern, whatever the other dials are set to.

    Attributes
    ----------
    noise : (float, float)
        White noise: range of its standard deviation, as a fraction of the highest peak.
    background : (float, float)
        Half a period of a cosine that begins anywhere: range of its height, as a fraction of the highest peak.
    lorentzian : (float, float)
        Pseudo-Voigt peaks: range of the Lorentzian's share. Both parts have one height and full width at half height.
    strain : float
        All peaks of a spectrum move together, from p to p (1 + e), with e up to this much to either side.
    texture : float
        Preferred orientation: heights are multiplied by the factors of March and Dollase
        (doi:10.1107/S0021889886089458) for a texture axis to which each peak of a class has a fixed angle
        and with a parameter r between 1 / (1 + texture) and 1 + texture. The highest ideal peak keeps its height.

    Examples
    --------
    >>> Realism(noise=(0, 0.04)).fills_spectrum, Realism(strain=0.01).fills_spectrum
    (True, False)
    """

    noise: Range = (0.0, 0.0)
    background: Range = (0.0, 0.0)
    lorentzian: Range = (0.0, 0.0)
    strain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    texture: NonNegative = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("noise", "background", "lorentzian"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}=({low}, {high}) has its minimum above its maximum; swap them")
        if self.lorentzian[1] > 1:
            raise ValueError(f"lorentzian={self.lorentzian} reaches above 1; a share is at most 1")
        return self

    @property
    def fills_spectrum(self) -> bool:
        """Whether spectra differ from zero far from their peaks."""
        return max(self.noise[1], self.background[1], self.lorentzian[1]) > 0

    @property
    def changes_peaks(self) -> bool:
        """Whether peaks move or grow other than by the variation law."""
        return self.strain > 0 or self.texture > 0


class DatasetSpec(Value):
    """Everything that determines a dataset, down to the last bit.

    Attributes
    ----------
    name : str
        Name shown in records and figures.
    n_points, n_classes : int
        Data points per spectrum; number of classes.
    min_peaks, max_peaks : int
        Fewest and most peaks of a class.
    boundary : int
        Distance in points that ideal peaks keep from both ends of the spectrum.
    max_height : int
        Heights are drawn as integers 1..max_height and divided by the largest of the class.
    peak_count_law : {"gamma", "uniform"}
        Law of the number of peaks: rounded gamma variate above `min_peaks`, cut at `max_peaks`, or uniform integers.
    gamma_shape, gamma_scale : float
        Parameters of the gamma law.
    variation : Variation
        How training and validation spectra vary.
    n_train, n_validation : int
        Training and validation spectra for each class.
    test : TestRule
        How test spectra are placed.
    realism : Realism
        Noise, background, tails, strain and preferred orientation.
    n_fresh : int
        Fresh spectra of each class on which a trained network is judged. How many there are changes nothing in the
        dataset that is trained on, so that they do not enter `digest`.
    seed : int
        Seed of the fingerprints, and, in generators of their own, of the varied spectra and of their realism.
    fingerprints : tuple of Fingerprint, optional
        Classes given by hand; if absent they are drawn.

    Examples
    --------
    >>> spec = DatasetSpec(name="few", n_classes=3, n_train=5)
    >>> DatasetSpec.from_json(spec.to_json()) == spec
    True
    """

    name: Name
    n_points: Annotated[int, Field(ge=2)] = 5000
    n_classes: Annotated[int, Field(ge=2)] = 500
    min_peaks: Annotated[int, Field(ge=1)] = 2
    max_peaks: Annotated[int, Field(ge=1)] = 10
    boundary: Annotated[int, Field(ge=0)] = 100
    max_height: Annotated[int, Field(ge=1)] = 100
    peak_count_law: Literal["gamma", "uniform"] = "gamma"
    gamma_shape: Positive = 1.2
    gamma_scale: Positive = 1.2
    variation: Variation = Variation()
    n_train: Annotated[int, Field(ge=1)] = 50
    n_validation: Annotated[int, Field(ge=1)] = 10
    test: TestRule = TestRule()
    realism: Realism = Realism()
    n_fresh: Annotated[int, Field(ge=2)] = FRESH_PER_CLASS
    seed: Annotated[int, Field(ge=0)] = 2022
    fingerprints: tuple[Fingerprint, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_peaks > self.max_peaks:
            raise ValueError(
                f"min_peaks={self.min_peaks} is above max_peaks={self.max_peaks}; lower it to at most {self.max_peaks}"
            )
        if 2 * self.boundary >= self.n_points:
            raise ValueError(
                f"boundary={self.boundary} leaves no room in n_points={self.n_points}; "
                f"lower it below {(self.n_points + 1) // 2}"
            )
        for label in self.test.changes:
            if label >= self.n_classes:
                raise ValueError(
                    f"test.changes names class {label}, but n_classes={self.n_classes}; "
                    f"use labels 0..{self.n_classes - 1}"
                )
        if self.fingerprints is not None:
            self._check_fingerprints(self.fingerprints)
        return self

    def _check_fingerprints(self, fingerprints: tuple[Fingerprint, ...]) -> None:
        if len(fingerprints) != self.n_classes:
            raise ValueError(
                f"{len(fingerprints)} fingerprints but n_classes={self.n_classes}; set n_classes to their number"
            )
        seen: dict[Fingerprint, int] = {}
        for label, fingerprint in enumerate(fingerprints):
            for position in fingerprint.positions:
                if not 0 <= position < self.n_points:
                    raise ValueError(
                        f"class {label} has a peak at position {position}, outside the range "
                        f"0..{self.n_points - 1}; move the peak or raise n_points"
                    )
            if fingerprint in seen:
                raise ValueError(
                    f"classes {seen[fingerprint]} and {label} have the same fingerprint "
                    f"{fingerprint.positions}; remove or change one of them"
                )
            seen[fingerprint] = label

    def with_realism(self, name: str, **dials: Any) -> Self:
        """Give the same dataset under another name with some dials of `Realism` turned.

        Parameters
        ----------
        name : str
        **dials : float or (float, float), fields of `Realism`

        Returns
        -------
        DatasetSpec

        Raises
        ------
        SpecificationError
            If there is no such dial, or its value is out of range.

        Examples
        --------
        >>> from spectra_lib.datasets.named import dataset_spec
        >>> dataset_spec("laptop").with_realism("laptop_strained", strain=0.01).realism.strain
        0.01
        """
        own = {"name": name, "realism": self.realism.model_dump() | dials, "n_fresh": FRESH_PER_CLASS}
        data = self.model_dump() | own
        return self.read(data, name)

    def to_json(self) -> str:
        """Write the specification as indented JSON.

        Returns
        -------
        str
        """
        return self.model_dump_json(indent=1, exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str, source: str = "dataset specification") -> Self:
        """Read a specification from JSON, in our layout or in the published one.

        The published layout (keys ``datapoints``, ``classes``, ``spectra`` ...) holds fingerprints only; variation and
        test rule are then the general benchmark's. Without a name of its own such a file is called "published".

        Parameters
        ----------
        text : str
        source : str, named in the error

        Returns
        -------
        DatasetSpec

        Raises
        ------
        SpecificationError
            If the text is not JSON, or a field is missing, unknown or out of its range.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpecificationError(
                f"{source}: not a complete JSON text ({error.msg} at line {error.lineno}, column "
                f"{error.colno}); the file may be cut short, fetch or write it again"
            ) from None
        if not isinstance(data, dict):
            raise SpecificationError(f"{source}: expected a JSON object, received {type(data).__name__}")
        if "datapoints" in data:
            data = from_published_layout(data, source)
        return cls.read(data, source)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a specification file (see `from_json`).

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        DatasetSpec

        Raises
        ------
        SpecificationError
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecificationError(f"cannot read the specification file {path}: {error}") from None
        return cls.from_json(text, source=str(path))

    def to_file(self, path: str | Path) -> None:
        """Write the specification to a file.

        Parameters
        ----------
        path : str or Path
        """
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the specification; `n_fresh` and fields at their defaults do not enter."""
        return canonical_digest(self.identity())

    def identity(self) -> dict[str, Any]:
        """Give what the data for training, validation and test depend on, as JSON values.

        `n_fresh` is left out: were it in, the same training would be another run for every number of spectra that it
        is judged on, and no record made before there were any would be found again.

        Returns
        -------
        dict of str to object
        """
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"n_fresh"})
