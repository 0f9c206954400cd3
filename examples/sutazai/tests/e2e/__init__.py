"""Tests of the sample: e2e."""
