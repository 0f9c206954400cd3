"""Tests of the sample: performance."""
