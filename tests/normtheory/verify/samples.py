"""The samples of the claims on reduced clouds, measured once for all files that judge them."""

from __future__ import annotations

from normtheory.verify._verify import _measurer

#: Measured when first asked for.
REDUCED = _measurer(1, 16, (3,))
