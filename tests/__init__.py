"""Tests of normtheory; the tree mirrors the package."""
