"""A report on a matrix of real embeddings: what their norms say and how fast they can turn.

The function is :func:`normtheory.diagnose`; ``normtheory diagnose FILE`` is the same for files.
"""

from __future__ import annotations

from normtheory.diagnosis._diagnose import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
