"""Stop rules: when a run is done. Each is asked before an update, of the state as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from normtheory._arrays import check_option, check_values
from normtheory._types import Flag, Scalar
from normtheory.pair import check_tolerance
from normtheory.particles._given import places, several
from normtheory.particles._tree import static, tree
from normtheory.particles._view import View, mean_distance, norm

__all__ = ["Stop", "gradient", "loss", "mean_cosine"]


@tree
class Stop:
    """A stop rule: ``function(view, **numbers)``, a truth value.

    Attributes:
        numbers: tolerances; they may change without compiling anew.
        name: for the record.
        function: of a :class:`View`; no memory of earlier states, so that a resumed run stops at
            the same step.
        clouds: places of two clouds, where the rule compares two.
    """

    numbers: dict[str, Any]
    name: str = static()
    function: Callable[..., Flag] = static()
    clouds: tuple[int, ...] = static(default=())

    def __call__(self, view: View) -> Flag:
        """Whether the run is done at this state."""
        more = {"clouds": self.clouds} if self.clouds else {}
        return self.function(view, **self.numbers, **more)


def _mean_cosine(view: View, *, tolerance: Scalar, clouds: tuple[int, ...]) -> Flag:
    one, other = (view.directions[k] for k in clouds)
    return mean_distance(one, other) <= tolerance


def mean_cosine(tolerance: float = 1e-3, *, clouds: tuple[int, int] = (0, 1)) -> Stop:
    """Stop when the mean cosine of partners is at least 1 - tolerance.

    The step count is then what :func:`normtheory.steps_to_converge` predicts: updates until the
    mean cosine, measured before an update, is there.

    Args:
        tolerance: in (0, 2).
        clouds: places of the two clouds.

    Raises:
        TypeError, ValueError: a tolerance out of range; not two places.
    """
    check_tolerance(tolerance)
    chosen = places("clouds", clouds)
    if len(chosen) != 2:
        raise ValueError(f"clouds: expected the places of two clouds, got {chosen}")
    return Stop({"tolerance": float(tolerance)}, "mean_cosine", _mean_cosine, chosen)


def _loss(view: View, *, target: Scalar, tolerance: Scalar) -> Flag:
    return view.loss - target <= tolerance


def loss(target: float, tolerance: float = 0.0) -> Stop:
    """Stop when the loss, with its reduction, is at most target + tolerance.

    Args:
        target: the value to reach, such as the least there is.
        tolerance: >= 0.

    Raises:
        ValueError: not finite, or a negative tolerance.
    """
    target = check_option("target", target)
    tolerance = check_option("tolerance", tolerance)
    check_values("tolerance", np.asarray(tolerance), least=0.0)
    return Stop({"target": target, "tolerance": tolerance}, "loss", _loss)


def _gradient(view: View, *, tolerance: Scalar) -> Flag:
    moving = view.system.moving(len(view.positions))
    worst = [jnp.max(view.norms[k] * norm(view.gradients[k])) for k in moving]
    return jnp.max(jnp.stack(worst)) <= tolerance


def gradient(tolerance: float) -> Stop:
    """Stop when every row's norm times its gradient's is at most a tolerance.

    ρ‖g‖ does not depend on the norms of the particles, as the loss does not.

    Raises:
        ValueError: a tolerance that is not positive.
    """
    tolerance = check_option("tolerance", tolerance)
    check_values("tolerance", np.asarray(tolerance), above=0.0)
    return Stop({"tolerance": tolerance}, "gradient", _gradient)


def check_places(found: tuple[Stop, ...], count: int) -> None:
    """Raise ValueError if a rule compares clouds that aren't among ``count``."""
    for rule in found:
        for k in rule.clouds:
            if not 0 <= k < count:
                raise ValueError(f"stop.clouds: expected places of the {count} clouds, got {k}")


def rules(stop: Any) -> tuple[Stop, ...]:
    """Read one rule, several, or None."""
    return several("stop", stop, Stop, "rules of normtheory.particles.stop")
