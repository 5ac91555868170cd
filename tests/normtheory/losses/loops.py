"""Slow loops, from each source's definition, in mpmath: the last word on values and gradients.

No arrays, no softmax routine, no closed form. Rows are lists of mpmath numbers; the derivative is a
central difference at a precision where its error can't be seen.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np

Rows = Sequence[Sequence[Any]]
DIGITS = 100
"""Precision of a loop. The step of a difference takes 30 digits, a tiny loss takes its own."""


def _cosine(x: Sequence[Any], y: Sequence[Any]) -> Any:
    dot = mp.fsum(a * b for a, b in zip(x, y, strict=True))
    return dot / mp.sqrt(mp.fsum(a * a for a in x) * mp.fsum(b * b for b in y))


def _minus_log_share(own: Any, exponents: Sequence[Any]) -> Any:
    return mp.log(mp.fsum(mp.exp(x - own) for x in exponents))


def attraction(z_1: Rows, z_2: Rows) -> Any:
    """Draganov et al. 2025, Proposition 3.1: the mean of -cos."""
    return -mp.fsum(_cosine(x, y) for x, y in zip(z_1, z_2, strict=True)) / len(z_1)


def repulsion(z_1: Rows, z_2: Rows) -> Any:
    """The same with the other sign."""
    return mp.fsum(_cosine(x, y) for x, y in zip(z_1, z_2, strict=True)) / len(z_1)


def _distance(x: Sequence[Any], y: Sequence[Any]) -> Any:
    """Of the two directions."""
    lengths = [mp.sqrt(mp.fsum(a * a for a in row)) for row in (x, y)]
    return mp.sqrt(
        mp.fsum((a / lengths[0] - b / lengths[1]) ** 2 for a, b in zip(x, y, strict=True))
    )


def alignment(z_1: Rows, z_2: Rows, *, power: Any) -> Any:
    """Wang and Isola 2020, equation 1 of section 4.1."""
    return mp.fsum(_distance(x, y) ** power for x, y in zip(z_1, z_2, strict=True)) / len(z_1)


def info_nce(z_1: Rows, z_2: Rows, *, temperature: Any) -> Any:
    """Van den Oord et al. 2018, equation 4."""
    total = mp.mpf(0)
    for a in range(len(z_1)):
        exponents = [_cosine(z_1[a], z_2[b]) / temperature for b in range(len(z_2))]
        total += _minus_log_share(exponents[a], exponents)
    return total / len(z_1)


def clip(z_1: Rows, z_2: Rows, *, temperature: Any) -> Any:
    """Radford et al. 2021, figure 3: rows are images, columns are texts."""
    return (
        info_nce(z_1, z_2, temperature=temperature) + info_nce(z_2, z_1, temperature=temperature)
    ) / 2


def nt_xent(z_1: Rows, z_2: Rows, *, temperature: Any) -> Any:
    """Chen et al. 2020, equation 1 and algorithm 1: l(2k-1, 2k) + l(2k, 2k-1) over 2N views."""
    views = [row for pair in zip(z_1, z_2, strict=True) for row in pair]
    total = mp.mpf(0)
    for i in range(len(views)):
        j = i + 1 if i % 2 == 0 else i - 1
        exponents = []
        for k in range(len(views)):
            if k != i:
                exponents.append(_cosine(views[i], views[k]) / temperature)
        total += _minus_log_share(_cosine(views[i], views[j]) / temperature, exponents)
    return total / len(views)


def decoupled(z_1: Rows, z_2: Rows, *, temperature: Any) -> Any:
    """Yeh et al. 2022, equation 6."""
    total = mp.mpf(0)
    for a in range(len(z_1)):
        exponents = [_cosine(z_1[a], z_2[b]) / temperature for b in range(len(z_2)) if b != a]
        total += _minus_log_share(_cosine(z_1[a], z_2[a]) / temperature, exponents)
    return total / len(z_1)


def supcon(z: Rows, labels: Sequence[int], *, temperature: Any) -> Any:
    """Khosla et al. 2020, equation 2, over the anchors with |P(i)| > 0."""
    total, anchors = mp.mpf(0), 0
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if not positives:
            continue
        anchors += 1
        exponents = [_cosine(z[i], z[a]) / temperature for a in others]
        inner = mp.mpf(0)
        for p in positives:
            inner += _minus_log_share(_cosine(z[i], z[p]) / temperature, exponents)
        total += inner / len(positives)
    return total / anchors


def siglip(z_1: Rows, z_2: Rows, *, temperature: Any, bias: Any) -> Any:
    """Zhai et al. 2023, algorithm 1."""
    total = mp.mpf(0)
    for i in range(len(z_1)):
        for j in range(len(z_2)):
            sign = 1 if i == j else -1
            total += mp.log(1 + mp.exp(-sign * (_cosine(z_1[i], z_2[j]) / temperature + bias)))
    return total / len(z_1)


def simsiam(p_1: Rows, p_2: Rows, z_1: Rows, z_2: Rows) -> Any:
    """Chen and He 2021, equation 4, halves of the two views."""
    return attraction(p_1, z_2) / 2 + attraction(p_2, z_1) / 2


def byol(p_1: Rows, p_2: Rows, z_1: Rows, z_2: Rows) -> Any:
    """Grill et al. 2020, equation 2, for both views."""
    total = mp.mpf(0)
    for i in range(len(p_1)):
        total += _distance(p_1[i], z_2[i]) ** 2 + _distance(p_2[i], z_1[i]) ** 2
    return total / len(p_1)


def triplet(anchor: Rows, positive: Rows, negative: Rows, *, margin: Any) -> Any:
    """Schroff et al. 2015, equation 1; half squared distances of directions."""
    total = mp.mpf(0)
    for a, p, n in zip(anchor, positive, negative, strict=True):
        total += max(mp.mpf(0), (_distance(a, p) ** 2 - _distance(a, n) ** 2) / 2 + margin)
    return total / len(anchor)


def moco(queries: Rows, keys: Rows, queue: Rows, *, temperature: Any) -> Any:
    """He et al. 2020, equation 1."""
    total = mp.mpf(0)
    for q, k in zip(queries, keys, strict=True):
        exponents = [_cosine(q, other) / temperature for other in [k, *queue]]
        total += _minus_log_share(exponents[0], exponents)
    return total / len(queries)


def normface(z: Rows, weights: Rows, labels: Sequence[int], *, scale: Any) -> Any:
    """Wang et al. 2017, equation 6."""
    total = mp.mpf(0)
    for row, label in zip(z, labels, strict=True):
        exponents = [scale * _cosine(row, w) for w in weights]
        total += _minus_log_share(exponents[int(label)], exponents)
    return total / len(z)


def cosface(z: Rows, weights: Rows, labels: Sequence[int], *, scale: Any, margin: Any) -> Any:
    """Wang et al. 2018, equation 4."""
    total = mp.mpf(0)
    for row, label in zip(z, labels, strict=True):
        exponents = [scale * _cosine(row, w) for w in weights]
        exponents[int(label)] = scale * (_cosine(row, weights[int(label)]) - margin)
        total += _minus_log_share(exponents[int(label)], exponents)
    return total / len(z)


def arcface(z: Rows, weights: Rows, labels: Sequence[int], *, scale: Any, margin: Any) -> Any:
    """Deng et al. 2019, equation 3."""
    total = mp.mpf(0)
    for row, label in zip(z, labels, strict=True):
        exponents = [scale * _cosine(row, w) for w in weights]
        angle = mp.acos(_cosine(row, weights[int(label)]))
        exponents[int(label)] = scale * mp.cos(angle + margin)
        total += _minus_log_share(exponents[int(label)], exponents)
    return total / len(z)


def swav(z: Rows, prototypes: Rows, codes: Rows, *, temperature: Any) -> Any:
    """Caron et al. 2020, equation 2."""
    total = mp.mpf(0)
    for row, code in zip(z, codes, strict=True):
        exponents = [_cosine(row, c) / temperature for c in prototypes]
        for q, own in zip(code, exponents, strict=True):
            total += q * _minus_log_share(own, exponents)
    return total / len(z)


def dino(
    z: Rows,
    target: Rows,
    prototypes: Rows,
    target_prototypes: Rows,
    *,
    centre: Any,
    temperature: Any = 0.1,
    target_temperature: Any = 0.04,
) -> Any:
    """Caron et al. 2021, equations 1 and 2 and algorithm 1: the teacher's output is centred."""
    total = mp.mpf(0)
    for row, teacher in zip(z, target, strict=True):
        exponents = [_cosine(row, c) / temperature for c in prototypes]
        outputs = [_cosine(teacher, c) for c in target_prototypes]
        centres = centre if isinstance(centre, list) else [centre] * len(outputs)
        sharp = [
            mp.exp((x - c) / target_temperature) for x, c in zip(outputs, centres, strict=True)
        ]
        for share, own in zip(sharp, exponents, strict=True):
            total += share / mp.fsum(sharp) * _minus_log_share(own, exponents)
    return total / len(z)


def uniformity(z: Rows, *, sharpness: Any) -> Any:
    """Wang and Isola 2020, section 4.1.2, over ordered pairs of different points."""
    total, n = mp.mpf(0), len(z)
    for i in range(n):
        for j in range(n):
            if i != j:
                total += mp.exp(-2 * sharpness * (1 - _cosine(z[i], z[j])))
    return mp.log(total / (n * (n - 1)))


LOOPS: dict[str, Callable[..., Any]] = {
    name: found
    for name, found in list(globals().items())
    if inspect.isfunction(found) and found.__module__ == __name__ and not name.startswith("_")
}
"""The loop of every loss, by its name: each public function above."""


def _number(value: Any) -> Any:
    """A number, a vector or a matrix of them."""
    if np.ndim(value) == 0:
        return mp.mpf(float(value))
    return [_number(x) for x in value]


def _rows(cloud: np.ndarray) -> list[list[Any]]:
    return [[mp.mpf(float(x)) for x in row] for row in cloud]


def exact(
    name: str,
    clouds: tuple[np.ndarray, ...],
    options: dict[str, Any],
    *,
    entries: Sequence[tuple[int, int, int]] = (),
    digits: int = DIGITS,
) -> tuple[Any, list[Any]]:
    """Value of a loop, and its derivatives by (cloud, row, component), as mpmath numbers.

    A float is taken for exactly what it is, so float32 clouds have a reference too.
    """
    with mp.workdps(digits):
        rows = [_rows(cloud) for cloud in clouds]
        read = {
            key: value.tolist() if np.asarray(value).dtype.kind in "iu" else _number(value)
            for key, value in options.items()
        }
        loop = LOOPS[name]
        value = loop(*rows, **read)
        derivatives = []
        for cloud, row, component in entries:
            line = rows[cloud][row]
            start = line[component]
            step = mp.sqrt(mp.fsum(x * x for x in line)) * mp.mpf(10) ** -30
            ends = []
            for sign in (1, -1):
                line[component] = start + sign * step
                ends.append(loop(*rows, **read))
            line[component] = start
            derivatives.append((ends[0] - ends[1]) / (2 * step))
        return value, derivatives
