"""Clouds, and an option, that several losses share."""

from __future__ import annotations

from normtheory.losses._parts import Cloud, Option

PAIRS = (Cloud("z_1", "embeddings"), Cloud("z_2", "their partners"))
"""Two clouds of partners."""

CONTRASTED = (
    Cloud("z_1", "anchors", least=2),
    Cloud("z_2", "keys, of which the a-th is the positive of the a-th anchor", least=2),
)
"""Two clouds of partners with others among them to tell them from."""

SYMMETRIC = Option("symmetric", False, "add the same loss with the roles exchanged", "flag")

PREDICTED = (
    Cloud("p_1", "predictions from the first view", role="predictions"),
    Cloud("p_2", "predictions from the second view", role="predictions"),
    Cloud("z_1", "embeddings of the first view", trained=False),
    Cloud("z_2", "embeddings of the second view", trained=False),
)
"""Predictions, and what they predict, through which no gradient flows."""
