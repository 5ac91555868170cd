"""Anchors told from the keys of their batch: what InfoNCE and its decoupled form share."""

from __future__ import annotations

from normtheory.losses._parts import Cloud, Option, temperature

CLOUDS = (
    Cloud("z_1", "anchors", least=2),
    Cloud("z_2", "keys, of which the a-th is the positive of the a-th anchor", least=2),
)

OPTIONS = (
    temperature(0.1),
    Option("symmetric", False, "add the same loss with the roles exchanged", "flag"),
)
