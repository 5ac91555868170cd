"""Clouds that several losses share."""

from __future__ import annotations

from normtheory.losses._parts import Cloud

PAIRS = (Cloud("z_1", "embeddings"), Cloud("z_2", "their partners"))
"""Two clouds of partners."""

PREDICTED = (
    Cloud("p_1", "predictions from the first view", role="predictions"),
    Cloud("p_2", "predictions from the second view", role="predictions"),
    Cloud("z_1", "embeddings of the first view", trained=False),
    Cloud("z_2", "embeddings of the second view", trained=False),
)
"""Predictions, and what they predict, through which no gradient flows."""
