"""Tests of the sample: integration."""
