"""Sealane's embedded engine: speaks Dagger's session protocol and runs steps in sandboxes of its own.

A second import package of the distribution: it never imports `sealane`.
"""

VERSION = "v0.21.8"
"""The Dagger version whose API is served: what `{version}` answers."""
