"""The plain definitions, which live where `normtheory verify` differentiates them too."""

from normtheory._verify.plain_losses import PLAIN

__all__ = ["PLAIN"]
