"""Tests of the losses: closed forms, laws, kinks, stability, errors, negative controls."""
