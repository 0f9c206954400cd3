"""A small service whose every line is in order: defects are seeded into copies of it."""
