"""Tests of the library, one file for one idea."""
