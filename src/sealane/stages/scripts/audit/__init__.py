"""Runs inside a container: which pinned packages of a project have a known vulnerability, by OSV advisories in a folder."""
