"""Compiled kernels that carry rows of cells to rows of cells.

Every kernel works on a range of target rows, so that a field can be split
between threads without changing a bit of the result; scratch is its own.
Doubles are float64. As long as a row has no missing value it goes the quick way,
without counting valid weight; both ways add in the same order and give the
same bits. Weights come in 2, 4 or a multiple of 4 places a target: fixed
numbers keep the inner loops in vector units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurora_prep.regridding.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aurora_prep.regridding.arrays import Doubles, Field, Places, Positions


COMPLETE = 1 - 1e-12  # a sum of valid weights above this is all of them
PAIR = 2
FOUR = 4


@compiled
def finish(total: float, valid: float, threshold: float) -> float:
    """Mean over the valid part, or NaN where that part is too small."""
    mean = total / valid if valid > 0 else np.nan
    mean = total if valid >= COMPLETE else mean
    return mean if valid >= threshold else np.nan


@compiled
def mix(
    rows: tuple[Field, Field, Field, Field], weights: Doubles, place: int, total: Doubles
) -> None:
    """``total (+)= sum of weight * row`` over four rows, new at place 0; NaN spreads."""
    first, second, third, fourth = rows
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    if place == 0 and c == 0 and d == 0:
        for j in range(total.size):
            total[j] = a * first[j] + b * second[j]
    elif place == 0:
        for j in range(total.size):
            total[j] = a * first[j] + b * second[j] + c * third[j] + d * fourth[j]
    else:
        for j in range(total.size):
            total[j] += a * first[j] + b * second[j] + c * third[j] + d * fourth[j]


@compiled
def mix_valid(
    rows: tuple[Field, Field, Field, Field],
    weights: Doubles,
    place: int,
    total: Doubles,
    valid: Doubles,
) -> bool:
    """As ``mix`` over values that are not NaN, with their weight; says if one was NaN."""
    first, second, third, fourth = rows
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    missing = 0
    for j in range(total.size):
        has_a, has_b = first[j] == first[j], second[j] == second[j]
        has_c, has_d = third[j] == third[j], fourth[j] == fourth[j]
        value = (a * first[j] if has_a else 0.0) + (b * second[j] if has_b else 0.0)
        value = value + (c * third[j] if has_c else 0.0) + (d * fourth[j] if has_d else 0.0)
        part = (a if has_a else 0.0) + (b if has_b else 0.0)
        part = part + (c if has_c else 0.0) + (d if has_d else 0.0)
        total[j] = value if place == 0 else total[j] + value
        valid[j] = part if place == 0 else valid[j] + part
        missing |= not (has_a and has_b and has_c and has_d)
    return missing != 0


@compiled
def any_nan(row: Field) -> bool:
    """Whether a row has a missing value."""
    missing = 0
    for j in range(row.size):
        missing |= row[j] != row[j]
    return missing != 0


@compiled
def gather(row: Field, index: Places, weight: Doubles, out: Field) -> None:
    """``out[j] = sum over k of weight[k, j] * row[index[k, j]]``; NaN spreads."""
    for j in range(out.size):
        total = weight[0, j] * row[index[0, j]] + weight[1, j] * row[index[1, j]]
        if index.shape[0] >= FOUR:
            total = total + weight[2, j] * row[index[2, j]] + weight[3, j] * row[index[3, j]]
        for k in range(FOUR, index.shape[0]):
            total += weight[k, j] * row[index[k, j]]
        out[j] = total


@compiled
def gather_pair(
    total: Field, valid: Field, index: Places, weight: Doubles, threshold: float, out: Field
) -> None:
    """``gather`` sums and valid weights together and write the finished means."""
    for j in range(out.size):
        a, b = index[0, j], index[1, j]
        v, w = weight[0, j], weight[1, j]
        value, part = v * total[a] + w * total[b], v * valid[a] + w * valid[b]
        if index.shape[0] >= FOUR:
            a, b = index[2, j], index[3, j]
            v, w = weight[2, j], weight[3, j]
            value = value + v * total[a] + w * total[b]
            part = part + v * valid[a] + w * valid[b]
        for k in range(FOUR, index.shape[0]):
            value += weight[k, j] * total[index[k, j]]
            part += weight[k, j] * valid[index[k, j]]
        out[j] = finish(value, part, threshold)


@compiled
def gather_valid(
    row: Field, index: Places, weight: Doubles, total: Doubles, valid: Doubles
) -> None:
    """``gather`` over values that are not NaN, with their weight."""
    for j in range(total.size):
        value, part = 0.0, 0.0
        for k in range(index.shape[0]):
            x, w = row[index[k, j]], weight[k, j]
            here = x == x  # noqa: PLR0124  # NaN is not itself
            value += w * x if here else 0.0
            part += w if here else 0.0
        total[j] = value
        valid[j] = part


@compiled
def source_row(field: Field, beyond: Field, row: int) -> Any:
    """A row of the field, or one of the two made for the poles."""
    return field[row] if row < field.shape[0] else beyond[row - field.shape[0]]


@compiled
def latitude_first(
    field: Field,
    beyond: Field,
    out: Field,
    start: int,
    stop: int,
    row_index: Places,
    row_weight: Doubles,
    column_index: Places,
    column_weight: Doubles,
    whole: NDArray[np.bool_],
    threshold: float,
) -> None:
    """Rows of one length: mix rows first, then columns. For coarser targets.

    Args:
        field: Source, ``(rows, columns)``.
        beyond: The two rows at the poles, ``(2, columns)``; used where asked for.
        out: Target, ``(target rows, target columns)``, filled from ``start`` to ``stop``.
        start: First target row.
        stop: End of the target rows.
        row_index: Source rows of each target row, ``(target rows, n)``.
        row_weight: Their weights.
        column_index: Source columns of each target column, ``(m, target columns)``.
        column_weight: Their weights.
        whole: Whether all of a target row lies inside the source.
        threshold: Least valid fraction of a target cell.
    """
    columns = field.shape[1]
    total, valid = np.empty(columns), np.empty(columns)
    quad = np.zeros(FOUR)
    width = row_index.shape[1]
    careful = False
    for i in range(start, stop):
        quick = whole[i] and not careful
        careful = False
        for attempt in range(2):
            if attempt == 1 and quick:
                break
            for n in range(0, width, FOUR):
                rows = (
                    source_row(field, beyond, row_index[i, n]),
                    source_row(field, beyond, row_index[i, n + 1]),
                    source_row(field, beyond, row_index[i, min(n + 2, width - 1)]),
                    source_row(field, beyond, row_index[i, min(n + 3, width - 1)]),
                )
                quad[:] = 0
                quad[: min(FOUR, width - n)] = row_weight[i, n : n + FOUR]
                if quick:
                    mix(rows, quad, n, total)
                else:
                    careful |= mix_valid(rows, quad, n, total, valid)
            if not quick:
                gather_pair(total, valid, column_index, column_weight, threshold, out[i])
                break
            if any_nan(total):
                quick = False
            else:
                gather(total, column_index, column_weight, out[i])


@compiled
def longitude_first(  # noqa: C901  # one loop nest: calls would cost an array each
    fields: Field,
    beyond: Field,
    out: Field,
    start: int,
    stop: int,
    offsets: Positions,
    pattern: Positions,
    pattern_start: Positions,
    pattern_width: Positions,
    pattern_whole: NDArray[np.bool_],
    index: Places,
    weight: Doubles,
    row_index: Places,
    row_weight: Doubles,
    threshold: float,
) -> None:
    """Rows of any length: bring each to the target's columns, then mix rows.

    Args:
        fields: Sources, ``(fields, points)``: they share each row's weights.
        beyond: The two rows at the poles on target columns,
            ``(fields, 2, target columns)``; used where asked for.
        out: Targets, ``(fields, target rows, target columns)``.
        start: First target row.
        stop: End of the target rows.
        offsets: Where each source row starts, ``(rows + 1,)``.
        pattern: Which longitude weights each row has, ``(rows,)``; -1: an empty row.
        pattern_start: Where the weights of a pattern start in ``index`` and ``weight``.
        pattern_width: Places a target column of each pattern.
        pattern_whole: Whether the pattern covers every target column.
        index: Source columns, ``(width, target columns)`` of every pattern, flat.
        weight: Their weights, likewise.
        row_index: Source rows of each target row, ``(target rows, n)``.
        row_weight: Their weights.
        threshold: Least valid fraction of a target cell.
    """
    count, targets = fields.shape[0], out.shape[2]
    rows, width = len(pattern), row_index.shape[1]
    total, valid = np.empty((width + 2, count, targets)), np.empty((width + 2, count, targets))
    clean = np.zeros((width + 2, count), dtype=np.bool_)
    held = np.full(width + 2, -1, dtype=np.int64)
    for end in range(2):
        held[width + end] = rows + end
        for f in range(count):
            total[width + end, f] = beyond[f, end]
            clean[width + end, f] = not any_nan(beyond[f, end])
            for j in range(targets):
                here = total[width + end, f, j] == total[width + end, f, j]
                valid[width + end, f, j] = 1.0 if here else 0.0
                total[width + end, f, j] = total[width + end, f, j] if here else 0.0
    slots = np.zeros(width, dtype=np.int64)
    for i in range(start, stop):
        for n in range(width):
            row = int(row_index[i, n])
            slot = row % width if row < rows else width + row - rows
            slots[n] = slot
            if held[slot] == row:
                continue
            held[slot] = row
            kind = pattern[row]
            if kind < 0:
                total[slot] = 0
                valid[slot] = 0
                clean[slot] = False
                continue
            places, begin = pattern_width[kind], pattern_start[kind]
            shape = (places, targets)
            where = index[begin : begin + places * targets].reshape(shape)
            parts = weight[begin : begin + places * targets].reshape(shape)
            for f in range(count):
                line = fields[f, offsets[row] : offsets[row + 1]]
                clean[slot, f] = pattern_whole[kind]
                if clean[slot, f]:
                    gather(line, where, parts, total[slot, f])
                    clean[slot, f] = not any_nan(total[slot, f])
                if not clean[slot, f]:
                    gather_valid(line, where, parts, total[slot, f], valid[slot, f])
        for f in range(count):
            mix_slots(total, valid, clean, f, slots, row_weight[i], threshold, out[f, i])


@compiled
def mix_slots(
    total: Doubles,
    valid: Doubles,
    clean: NDArray[np.bool_],
    field: int,
    slots: Positions,
    weights: Doubles,
    threshold: float,
    out: Field,
) -> None:
    """Mix the rows held in ``slots``, those that are clean without counting weight."""
    sums, parts = np.zeros(out.size), np.zeros(out.size)
    fine, whole = True, 0.0
    for n in range(len(slots)):
        fine &= weights[n] == 0 or clean[slots[n], field]
        whole += weights[n]
    fine &= whole >= COMPLETE
    for n in range(len(slots)):
        w, row = weights[n], total[slots[n], field]
        if w == 0:
            continue
        for j in range(out.size):
            sums[j] += w * row[j]
        if fine:
            continue
        if clean[slots[n], field]:
            for j in range(out.size):
                parts[j] += w
        else:
            part = valid[slots[n], field]
            for j in range(out.size):
                parts[j] += w * part[j]
    for j in range(out.size):
        out[j] = sums[j] if fine else finish(sums[j], parts[j], threshold)


@compiled
def sparse(
    field: Field,
    out: Field,
    start: int,
    stop: int,
    begin: Positions,
    index: Places,
    weight: Doubles,
    threshold: float,
) -> None:
    """Product with a sparse matrix, weights of missing values shared by the others.

    Args:
        field: Source, ``(points,)``.
        out: Target, ``(target points,)``, filled from ``start`` to ``stop``.
        start: First target point.
        stop: End of the target points.
        begin: Where each target's weights start, ``(target points + 1,)``.
        index: Source points.
        weight: Their weights; a target's sum is its part inside the source.
        threshold: Least valid fraction of a target.
    """
    for i in range(start, stop):
        total, valid = 0.0, 0.0
        for k in range(begin[i], begin[i + 1]):
            x, w = field[index[k]], weight[k]
            here = x == x  # noqa: PLR0124  # NaN is not itself
            total += w * x if here else 0.0
            valid += w if here else 0.0
        out[i] = finish(total, valid, threshold)
