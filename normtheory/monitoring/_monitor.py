"""The monitor: records that grow while a training runs."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from normtheory._arrays import LARGEST_COUNT, check_count, check_number, concrete, library_of
from normtheory._read import labels_of
from normtheory.monitoring._alarms import alarms
from normtheory.monitoring._batch import Batch
from normtheory.monitoring._gap import Gap
from normtheory.monitoring._measure import measure
from normtheory.monitoring._predicted import predicted, predicted_slowdown
from normtheory.monitoring._probe import Probe
from normtheory.monitoring._settings import Settings

if TYPE_CHECKING:
    import xarray as xr


class Monitor:
    """Norms of a training while it runs: measured, and predicted beside it.

    Hand over embeddings *before* they are normalised, every so many steps, and those of a fixed
    probe batch if there is one. A probe seen in two steps on end gives what happens in one step:
    :meth:`due` says when to look. Data that is of no use never ends a training: rows that are zero
    or not finite are left out, counted, and warned of once. A wrong call is an error.

    Predicted numbers are those of free embeddings against fresh gradients, by optimizer. In an
    encoder only what is drawn from the measured displacement holds.

    A monitor can be pickled with a checkpoint, and goes on from there.

    Args:
        optimizer: "sgd", "momentum" (SGD with it), "adam" (decay joined to the gradient), "adamw",
            "lion"; None for any other, for which nothing is predicted.
        weight_decay: λ >= 0, the optimizer's.
        momentum: β in [0, 1) of "momentum".
        coupled: decay added to the gradient before the momentum, as PyTorch does; None for that.
        beta_1: decay of the mean of gradients, for Adam, AdamW and Lion.
        beta_2: decay of the mean of squares, or Lion's second. None is the usual number, for all.
        epsilon: ε of AdamW, 0 by default.
        batch_size: pairs that the loss runs over; together with ``reduction``.
        reduction: "mean" or "sum" over those pairs. With SGD the size of the gradient is measured
            from the probe; where it isn't, it is that of attraction to random partners.
        pairs: n, all pairs of a training with two modalities, for the predicted gap.
        scale_rate: γ_s > 0, the rate of ln b, for the predicted gap; SGD alone.
        encoder: whether the embeddings come out of a network; alarms then go by the measured
            displacement, and not by the equilibrium of free embeddings.
        every: steps from one look at the probe to the next, >= 1.

    Raises:
        TypeError, ValueError: an option that is no number or out of range.

    Reference:
        The formulas name their claims in :attr:`dataset` and in the report.

    Example:
        >>> import numpy as np
        >>> monitor = Monitor(optimizer="adamw", weight_decay=0.1, encoder=False)
        >>> z = np.random.default_rng(0).standard_normal((64, 8))
        >>> record = monitor.update(z, step=0, learning_rate=1e-3)
        >>> round(record["norm_50"], 2), round(record["predicted_norm"], 2)
        (2.73, 0.2)
        >>> monitor.alarms[0][:47]
        'norms are 13.7 times the equilibrium of this de'
    """

    def __init__(
        self,
        *,
        optimizer: str | None = None,
        weight_decay: float = 0.0,
        momentum: float | None = None,
        coupled: bool | None = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        batch_size: int | None = None,
        reduction: str | None = None,
        pairs: int | None = None,
        scale_rate: float | None = None,
        encoder: bool = True,
        every: int = 50,
    ) -> None:
        """See the class."""
        self.settings = Settings(
            optimizer=optimizer,
            weight_decay=weight_decay,
            momentum=momentum,
            coupled=coupled,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            batch_size=batch_size,
            reduction=reduction,
            pairs=pairs,
            scale_rate=scale_rate,
            encoder=encoder,
            every=every,
        )
        self.records: list[dict[str, float]] = []
        self.bad: list[str] = []
        self._probe = Probe(self.settings)
        self._gap = Gap(self.settings)
        self._slope: float | None = None

    def due(self, step: int) -> bool:
        """Whether a look is due: every so many steps, and, with a probe, in the step after."""
        _check_step(step)
        return step % self.settings.every == 0 or self._probe.due(step)

    def update(
        self,
        z: Any,
        *,
        step: int,
        loss: Any = None,
        learning_rate: float | None = None,
        scale: Any = None,
        labels: Any = None,
        second_view: Any = None,
        probe: Any = None,
        gradient: Any = None,
    ) -> dict[str, float]:
        """Measure a batch.

        All is of the forward pass of ``step``, before the optimizer's: embeddings, rate, probe.

        Args:
            z: (n, d) embeddings, n >= 1 and d >= 2; numpy, JAX or PyTorch, floats of 16, 32 or 64
                bits. No graph is kept.
            step: of the optimizer, an integer above that of the last call.
            loss: its value, a number or an array of one.
            learning_rate: η > 0 of the optimizer; 0 in a step that moves nothing.
            scale: b = 1/τ > 0, if the loss has a scale.
            labels: n integers, booleans or strings.
            second_view: (n, d), the other view or modality of the same samples.
            probe: (m, d) embeddings of samples that are the same in every call, in the same order,
                and without random augmentation or dropout.
            gradient: (n, d), that of the loss with respect to ``z``.

        Returns:
            Numbers by name, for any logger; what can't be said is left out. What they are stands in
            :attr:`dataset`.

        Raises:
            TypeError: not an array of floats, a traced one, or no number where one is expected.
            ValueError: shapes that don't fit, a probe of another shape than before, a step that is
                not above the last.
        """
        self._check_order(step)
        batch = Batch("z", z)
        others = {
            name: self._beside(name, x, batch)
            for name, x in (("second_view", second_view), ("gradient", gradient))
        }
        looked = None if probe is None else self._probe.read(probe, batch.shape[1])
        kinds = None if labels is None else _labels(labels, batch)
        numbers = {
            name: _number(name, x)
            for name, x in (("loss", loss), ("learning_rate", learning_rate), ("scale", scale))
            if x is not None
        }
        # Nothing is kept before everything has been read: a call that is refused leaves no trace.
        rate = numbers.get("learning_rate")
        seen = {"z": batch, "second_view": others["second_view"], "probe": looked}
        self._say_bad(step, {name: x for name, x in seen.items() if x is not None})
        with np.errstate(over="ignore", invalid="ignore"):  # a training may diverge
            record = {"step": float(step)} | numbers | measure(batch, others["second_view"], kinds)
            self._note_slope(batch, others["gradient"])
            if looked is not None:
                record["bad_rows"] += float((~looked.good).sum())
                record |= self._probe.look(step, looked, rate)
            record |= self._predict(record, rate, batch.shape[1])
        self.records.append(record)
        return {name: x for name, x in record.items() if name != "step"}

    @property
    def alarms(self) -> tuple[str, ...]:
        """What deserves a warning now, each a sentence with its remedy; the gravest first."""
        return alarms(self.records, self.settings, self.bad)

    @property
    def dataset(self) -> xr.Dataset:
        """All records along ``step``, NaN where a number was not to be had; with units, sources."""
        from normtheory.monitoring._dataset import dataset

        return dataset(self.records, self.settings)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write one HTML page: measured solid, predicted dashed; it loads nothing from elsewhere.

        Args:
            path: of the file; what was there is replaced, whole or not at all.

        Raises:
            ValueError: no update yet.
            OSError: it can't be written.
        """
        if not self.records:
            raise ValueError("report: expected an update before it, there is nothing to show")
        from normtheory._files import whole_file
        from normtheory.monitoring._report import page

        with whole_file(Path(path)) as temporary:
            temporary.write_text(page(self.dataset, self.alarms), encoding="utf-8")

    def _check_order(self, step: int) -> None:
        _check_step(step)
        if self.records and step <= self.records[-1]["step"]:
            raise ValueError(
                f"step: expected one above {self.records[-1]['step']:.0f}, that of the last "
                f"update, got {step}"
            )

    def _beside(self, name: str, x: Any, batch: Batch) -> Batch | None:
        if x is None:
            return None
        found = Batch(name, x)
        if found.shape != batch.shape:
            raise ValueError(
                f"{name}: expected the shape of z, {batch.shape}, got shape {found.shape}"
            )
        return found

    def _say_bad(self, step: int, seen: dict[str, Batch]) -> None:
        for name, batch in seen.items():
            for row in np.flatnonzero(~batch.good)[:1]:
                what = "zero" if batch.norms[row] == 0 else "not finite"
                count = int((~batch.good).sum())
                more = f" and {count - 1} more rows" if count > 1 else ""
                self.bad.append(f"{name} row {row}{more} at step {step}: {what}")
                if len(self.bad) == 1:
                    warnings.warn(
                        f"{self.bad[0]}; such rows are left out and counted (warned of once)",
                        RuntimeWarning,
                        stacklevel=3,
                    )

    def _note_slope(self, batch: Batch, gradient: Batch | None) -> None:
        if gradient is not None:
            some = batch.good & np.isfinite(gradient.norms)
            if some.any():
                sizes = batch.norms[some] * gradient.norms[some]
                self._slope = float(np.sqrt(np.mean(sizes**2)))

    def _predict(
        self, record: dict[str, float], rate: float | None, dimension: int
    ) -> dict[str, float]:
        norm = record.get("norm_50")
        if norm is None or rate is None:
            return {}
        settings, slope, lag = self.settings, self._slope, record.get("lag")
        if slope is None and settings.optimizer == "sgd":
            slope = self._probe.heat
        ratio = record.get("probe_decile_ratio", record.get("decile_ratio"))
        found = {
            "slope": slope,
            "predicted_slowdown": predicted_slowdown(settings, ratio),
            "predicted_gap": self._gap.follow(record.get("gap"), record.get("scale"), norm, rate),
        }
        steps = None if lag is None else int(lag)
        known = {name: x for name, x in found.items() if x is not None}
        return known | predicted(settings, rate, norm, dimension, slope or None, steps)


def _check_step(step: Any) -> None:
    check_count("step", step, 0, most=LARGEST_COUNT)


def _number(name: str, x: Any) -> float:
    """A number, or an array of one: what a training has at hand."""
    if library_of(x) is not None and x.ndim == 0:
        values = concrete(x)
        if values is None:
            raise TypeError(f"{name}: expected a value, not an array traced by JAX or PyTorch")
        x = values[()]
    number = check_number(name, x)
    if name == "learning_rate" and not 0 <= number < math.inf:
        raise ValueError(f"learning_rate: expected a finite number >= 0, got {number:g}")
    return number


def _labels(labels: Any, batch: Batch) -> np.ndarray:
    found = labels_of("labels", labels)
    values = found if isinstance(found, np.ndarray) else concrete(found)
    n = batch.shape[0]
    if values is None or values.shape != (n,):
        got = "traced ones" if values is None else f"shape {values.shape}"
        raise ValueError(f"labels: expected one label for each of {n} embeddings, got {got}")
    return values
