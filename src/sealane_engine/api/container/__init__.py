"""The fields of Container, by subject."""
