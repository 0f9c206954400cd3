"""Results that go from one store to another, through a folder that a CI vendor keeps between runs."""
