"""CI vendors: what each says of a run."""
