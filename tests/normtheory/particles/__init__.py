"""Tests of the particle simulator."""
