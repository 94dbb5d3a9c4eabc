"""Index tables are those that plain loops give."""

import numpy as np
import pytest

from spectra_lib.training.sparse_index import Field, align, count_windows, input_table, lay_windows, n_valid


def spread_in_loops(field: Field, active: np.ndarray) -> list[list[bool]]:
    return [
        [
            any(row[p] for k in range(field.size) if 0 <= (p := j * field.step - field.left + k) < field.n_in)
            for j in range(field.n_out)
        ]
        for row in active.tolist()
    ]


def windows_in_loops(active: list[list[bool]], n: int, width: int) -> list[tuple[int, int]]:
    """Owner and first position of each window; the empty spectrum, which needs all positions, comes first."""
    found = []
    for owner, row in [(len(active), [True] * n), *enumerate(active)]:
        end = 0
        for j in range(n):
            if row[j] and j >= end:
                found.append((owner, min(j, n - width)))
                end = min(j, n - width) + width
    return found


FIELDS = [
    Field(size=3, step=1, left=1, n_in=20, n_out=20),
    Field(size=5, step=2, left=1, n_in=20, n_out=10),
    Field(size=4, step=3, left=0, n_in=20, n_out=6),  # a rest at the end
    Field(size=1, step=2, left=0, n_in=20, n_out=10),
    Field(size=2, step=3, left=0, n_in=20, n_out=7),  # every third position is never seen
    Field(size=30, step=1, left=14, n_in=20, n_out=20),  # wider than the spectrum
]


@pytest.fixture
def spectra():
    found = np.zeros((5, 20))
    for row, points in enumerate(([0], [19], [3, 4, 5, 12], [], range(20))):
        found[row, list(points)] = 1.0
    return found


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_each_row_stands_for_its_position_and_needs_what_it_sees(field, width, spectra):
    source = input_table(spectra)
    active = field.spread(spectra != 0)
    assert active.tolist() == spread_in_loops(field, spectra != 0)
    expected = windows_in_loops(active.tolist(), field.n_out, width)
    assert count_windows(active, width).tolist() == [sum(o == row for o, _ in expected) for row in range(5)]

    table, needed = lay_windows(source, active, field, width, len(expected) + 3)
    assert list(zip(table.owners.tolist(), table.starts.tolist(), strict=True))[: len(expected)] == expected
    assert (table.owners[len(expected) :] == -1).all() and (needed[len(expected) :] == 0).all()
    inside = width if field.size == 1 else (width - 1) * field.step + field.size
    for window, (owner, start) in enumerate(expected):
        for k in range(inside):
            seen = start * field.step - field.left + k * (field.step if field.size == 1 else 1)
            exists = 0 <= seen < field.n_in and owner < len(spectra)
            assert needed[window, k] == (owner * field.n_in + seen if exists else spectra.size)
    for owner in range(6):
        for j in range(field.n_out):
            window, k = divmod(int(table.lookup[owner, j]), width)
            found, start = expected[window]
            assert start + k == j
            # where nothing reaches, the row is that of the empty spectrum
            assert found == owner or (found == 5 and not active[owner, j])


def test_room_that_is_too_small_is_noticed(spectra):
    field = FIELDS[0]
    needed = len(windows_in_loops(field.spread(spectra != 0).tolist(), 20, 4))
    assert lay_windows(input_table(spectra), field.spread(spectra != 0), field, 4, needed - 1) is None
    assert lay_windows(input_table(spectra), field.spread(spectra != 0), field, 4, needed) is not None


def test_counts_are_those_of_all_positions_of_all_spectra(spectra):
    field = FIELDS[1]
    table, _ = lay_windows(input_table(spectra), field.spread(spectra != 0), field, 3, 40)
    counts = table.counts()
    expected = np.zeros_like(counts)
    for row in table.lookup[:5].ravel():
        expected.flat[row] += 1
    assert counts.tolist() == expected.tolist() and counts.sum() == 5 * field.n_out


def test_rows_of_one_table_are_found_at_the_places_of_another(spectra):
    narrow, wide = (Field(size, 1, size // 2, 20, 20) for size in (3, 7))
    source, target = (
        lay_windows(input_table(spectra), field.spread(spectra != 0), field, 4, 60)[0] for field in (narrow, wide)
    )
    rows = align(source, target)
    for window in range(60):
        for k in range(4):
            owner, position = target.owners[window], target.starts[window] + k
            assert rows[window, k] == (source.lookup[owner, position] if owner >= 0 else 0)


def test_padded_averages_divide_by_what_is_there():
    field = Field(size=3, step=1, left=1, n_in=6, n_out=6)
    table, _ = lay_windows(input_table(np.ones((1, 6))), np.ones((1, 6), bool), field, 6, 2)
    assert n_valid(table, field)[1].tolist() == [2, 3, 3, 3, 3, 2]
