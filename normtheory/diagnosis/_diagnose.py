"""From a matrix of embeddings to what was found in it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from normtheory._arrays import check_flag
from normtheory._files import whole_file
from normtheory._range import quiet
from normtheory._text import shown
from normtheory.diagnosis._advice import give_advice
from normtheory.diagnosis._alarms import alarms
from normtheory.diagnosis._change import summarise_change
from normtheory.diagnosis._classes import summarise_classes
from normtheory.diagnosis._directions import summarise_directions
from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._neighbours import summarise_neighbours
from normtheory.diagnosis._norms import find_unexpected, summarise_norms
from normtheory.diagnosis._options import Options
from normtheory.diagnosis._popularity import FREQUENCY, summarise_popularity
from normtheory.diagnosis._prepare import Prepared, prepare
from normtheory.diagnosis._proxy import summarise_proxy
from normtheory.diagnosis._quantity import quantities
from normtheory.diagnosis._retrieval import summarise_retrieval
from normtheory.diagnosis._summary import summarise
from normtheory.diagnosis._text import render
from normtheory.diagnosis._tokens import summarise_tokens
from normtheory.diagnosis._turning import measure_turning
from normtheory.diagnosis._views import pair_angles, summarise_views


@dataclass(frozen=True)
class Diagnosis(Findings):
    """What :func:`normtheory.diagnose` found; ``str()`` is the report as text.

    Norms are in the unit of the embeddings, angles in radians, steps in updates of a pair,
    effective rates and ratios without unit, correlations with a 95 % interval: for other classes
    where there are labels, else for other samples.

    Attributes:
        n: embeddings looked at.
        dimension: d.
        dtype: of the array.
        dropped: rows left out as zero or not finite, in the original numbering.
        options: the options of the call: ``learning_rate``, ``seed`` and so on.
        norms: ``mean``, ``quantiles``, ``spread``, ``range_ratio``, histogram.
        turning: ``slowdown`` of the largest norms, ``effective_rates``, predicted steps,
            ``equilibrium_norm``.
        neighbours: kNN ``accuracy`` by norm in ``buckets``, ``norm_and_accuracy``,
            ``norm_and_closeness``.
        classes: norms ``by_norm`` of the classes, at most 1000 of them; None without labels.
        views: ``alignment``, ``norm_and_agreement``; None without a second view.
        directions: whether the directions have collapsed.
        unexpected: ``rows`` of the smallest norms.
        advice: ``cut_factor`` and ``gradscale`` power, with what they amount to.
        proxy: ``verdict`` on whether the norm is a signal of the target or a proxy for covariates,
            with the correlations behind it; None without covariates and target.
        popularity: the norm as a power of the covariate ``frequency``; None without one.
        change: what happened since an earlier checkpoint, and the norm that leads to; None without
            one.
        tokens: which tokens stand out; None without an axis of tokens.
        retrieval: what norms change between ranking by cosine and by dot product.
        warnings: sentences, gravest first; empty if all looks well.
        notes: which parts of a file the embeddings are, where ``normtheory diagnose`` had to find
            that out.
    """

    def __str__(self) -> str:
        """Return the report as text."""
        return self.text()

    @property
    def summary(self) -> tuple[str, ...]:
        """The report in about five sentences: what was found, and what to do."""
        return summarise(self)

    def text(self, *, formulas: bool = False) -> str:
        """The report as text, the answer first.

        Args:
            formulas: with notes on how the numbers are meant, and with the formula and the source
                of each.
        """
        return render(self, check_flag("formulas", formulas))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what isn't finite becomes None.

        Under ``"sources"`` stands, for every number, its unit, formula and source.
        """
        sources = {
            f"{part.name}.{name}": quantity._asdict()
            for part in dataclasses.fields(self)
            if dataclasses.is_dataclass(getattr(self, part.name))
            for name, quantity in quantities(getattr(self, part.name)).items()
        }
        return {**_plain(self), "summary": list(self.summary), "sources": sources}

    def to_json(self) -> str:
        """The report as JSON, in ASCII: labels are whole there, whatever is in them."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_html(self, path: str | os.PathLike[str] | None = None, *, source: str = "") -> str:
        """The report as one self-contained HTML page with figures, with today's date.

        Args:
            path: file to write it to as well, whole or not at all.
            source: what the embeddings were read from, to be shown.

        Returns:
            The page.

        Raises:
            OSError: the file can't be written.
        """
        from normtheory.diagnosis._report import page  # here: it brings matplotlib

        text = page(self, shown(source))
        if path is not None:
            with whole_file(Path(path)) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return text

    def _repr_html_(self) -> str:
        from normtheory.diagnosis._report import fragment

        return fragment(self)


def _plain(value: Any) -> Any:
    """Dataclasses and named tuples as dictionaries, and only what JSON knows."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {key: _plain(v) for key, v in value._asdict().items()}
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


@quiet
def diagnose(
    embeddings: Any,
    labels: Any = None,
    *,
    second_view: Any = None,
    before: Any = None,
    covariates: Any = None,
    target: Any = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    optimizer: str = "sgd",
    momentum: float | None = None,
    beta_1: float | None = None,
    beta_2: float | None = None,
    epsilon: float | None = None,
    coupled: bool | None = None,
    temperature: float | None = None,
    batch_size: int | None = None,
    reduction: str | None = None,
    gradscale: float = 0.0,
    tolerance: float = 1e-3,
    target_rate: float = 0.01,
    target_slowdown: float = 2.0,
    neighbours: int = 10,
    buckets: int = 10,
    sample: int = 5000,
    unexpected: int = 10,
    updates: int = 1,
    seed: int = 0,
    drop_bad_rows: bool = False,
    progress: bool = False,
) -> Diagnosis:
    """Report on the norms of embeddings, and on what they do to the speed of training.

    Hand over the embeddings *before* they are normalised. The array is read in blocks, so a
    memory-mapped one of any length will do. What needs pairs of samples (neighbours, directions,
    rank correlations, what the norm adds) is done on a seeded draw of at most ``sample`` rows.

    Args:
        embeddings: (n, d), n and d >= 2; a numpy, JAX or PyTorch array of floats of 16, 32 or 64
            bits. Everything is computed in float64. Of tokens, (n, tokens, d), the means over those
            that are not zero are looked at, and the norms of tokens beside each other.
        labels: n integers, booleans or strings, all of one kind: an array, a list or a column of a
            table.
        second_view: (n, d) embeddings of another view of the same samples.
        before: embeddings of the same samples at an earlier checkpoint, of the same shape.
        covariates: what else is known of the samples and may set the norm, n numbers each by name:
            ``{"tokens": t, "frequency": f}``, or a table. One called ``frequency`` is compared with
            the powers of theory.
        target: what the norm may tell, n numbers (quality, agreement of people) or truth values
            (right or not).
        learning_rate: η > 0 of the optimizer.
        weight_decay: λ >= 0, with ηλ < 1; a positive one needs the learning rate.
        optimizer: "sgd", "momentum", "adam" (with L2), "adamw" or "lion". Under the last three
            embeddings turn at the pace η/ρ, and GradScale has no theory.
        momentum: of "momentum"; this and the next as :func:`normtheory.predict` takes them.
        beta_1: of the last three.
        beta_2: likewise.
        epsilon: of Adam and AdamW.
        coupled: whether the weight decay of "momentum" is in the gradient.
        temperature: τ > 0 of the loss; leave it out if the rate was divided by it.
        batch_size: number of pairs that the loss runs over; together with ``reduction``.
        reduction: "mean" or "sum" over those pairs. With both, steps are predicted: as if the
            embeddings were free parameters, which those of an encoder are not.
        gradscale: power p of GradScale in use, in [0, 2].
        tolerance: a pair has converged at cos φ >= 1 - tolerance.
        target_rate: effective learning rate that the suggested cut brings the median norm to.
        target_slowdown: slowdown of the largest decile that the suggested power of GradScale
            leaves, >= 1.
        neighbours: k of the nearest neighbours.
        buckets: number of buckets of norms.
        sample: most rows that are compared with each other, and most classes.
        unexpected: how many of the smallest norms are listed.
        updates: how many lie between ``before`` and now; what decay took in them is told apart.
        seed: of the draw, and of the resamples behind intervals without labels.
        drop_bad_rows: leave out rows that are zero or not finite (in either view, or in a column)
            instead of refusing them.
        progress: show bars on standard error, if that is a terminal.

    Returns:
        The diagnosis.

    Raises:
        TypeError: not an array of floats, or a masked one; labels of several kinds, missing ones
            among them, or neither integers nor strings; a covariate or target that isn't numbers.
        ValueError: shapes that don't fit, fewer than two rows, rows that are zero or not finite
            (how many, and which), a constant covariate or target, more covariates than rows, an
            option out of range.

    Reference:
        Norm as confidence, GradScale and cut-initialisation: Draganov et al. 2025. The formulas
        name their claims in the report.

    Example:
        >>> import numpy as np
        >>> z = np.random.default_rng(0).standard_normal((200, 8)) * np.linspace(1, 3, 200)[:, None]
        >>> report = diagnose(z, learning_rate=0.5, batch_size=100, reduction="mean")
        >>> round(report.turning.pair_rate, 4), report.neighbours.sample
        (0.005, 200)
        >>> report.turning.slowdown > 4
        True
    """
    options = Options(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        optimizer=optimizer,
        momentum=momentum,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        coupled=coupled,
        temperature=temperature,
        batch_size=batch_size,
        reduction=reduction,
        gradscale=gradscale,
        tolerance=tolerance,
        target_rate=target_rate,
        target_slowdown=target_slowdown,
        neighbours=neighbours,
        buckets=buckets,
        sample=sample,
        unexpected=unexpected,
        updates=updates,
        seed=seed,
        drop_bad_rows=drop_bad_rows,
    )
    progress = check_flag("progress", progress)
    prepared = prepare(
        embeddings,
        labels,
        second_view,
        before,
        covariates,
        target,
        drop=options.drop_bad_rows,
        progress=progress,
    )
    return examine(prepared, options, progress=progress)


def examine(prepared: Prepared, options: Options, *, progress: bool = False) -> Diagnosis:
    """The second half of :func:`diagnose`: from checked input to the report."""
    rows, labels, second, before, known, tokens, dropped = prepared
    rng = np.random.default_rng(options.seed)
    places = np.arange(len(rows))
    if len(rows) > options.sample:
        places = np.sort(rng.choice(len(rows), options.sample, replace=False))
    norms, directions = rows.norms, rows.directions(places)
    codes = classes = views = pairs = None
    if labels is not None:
        names, codes = np.unique(labels, return_inverse=True)
        classes = summarise_classes(norms, names, codes, rng, options.sample)
        # Numbered within the sample: most of as many classes as embeddings are not in it.
        codes = np.unique(codes[places], return_inverse=True)[1]
    if second is not None:
        angles = pair_angles(rows, second)
        pairs = angles, second.norms
        views = summarise_views(angles, norms, second.norms, places, codes, options.buckets, rng)
    turning = measure_turning(norms, rows.dimension, options, pairs)
    report = Diagnosis(
        n=len(rows),
        dimension=rows.dimension,
        dtype=rows.dtype,
        dropped=dropped,
        options=options,
        norms=summarise_norms(norms),
        turning=turning,
        neighbours=summarise_neighbours(
            directions,
            norms[places],
            codes,
            options.neighbours,
            options.buckets,
            rng,
            progress=progress,
        ),
        classes=classes,
        views=views,
        directions=summarise_directions(directions),
        unexpected=find_unexpected(norms, rows.kept, labels, options.unexpected),
        advice=give_advice(norms, turning.decile_ratio, options),
        retrieval=summarise_retrieval(directions, norms[places], options.neighbours),
        change=None if before is None else summarise_change(rows, before, options),
        tokens=None if tokens is None else summarise_tokens(tokens, rows.kept),
        **_beside(norms[places], known.at(places), codes, rng),
    )
    return dataclasses.replace(report, warnings=alarms(report))


def _beside(
    norms: np.ndarray,
    known: tuple[dict[str, np.ndarray], np.ndarray | None],
    codes: np.ndarray | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """What is found where covariates or a target are known."""
    covariates, target = known
    found: dict[str, Any] = {}
    if covariates or target is not None:
        found["proxy"] = summarise_proxy(norms, covariates, target, codes, rng)
    if FREQUENCY in covariates:
        found["popularity"] = summarise_popularity(norms, covariates[FREQUENCY], codes, rng)
    return found
