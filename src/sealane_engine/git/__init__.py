"""Git repositories: local ones so far."""
