"""Tests of the sample, by category."""
