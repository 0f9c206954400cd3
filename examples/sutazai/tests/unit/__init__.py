"""Tests of the sample: unit."""
