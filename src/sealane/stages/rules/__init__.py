"""Semgrep rules that ship with Sealane: thin, local, no network."""
