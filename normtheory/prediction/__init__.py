"""The closed forms for a training run: ask with its numbers, get rows that say where they hold."""

from __future__ import annotations

from normtheory.prediction._predict import predict
from normtheory.prediction._prediction import Prediction
from normtheory.prediction._row import Row

__all__ = ["Prediction", "Row", "predict"]
