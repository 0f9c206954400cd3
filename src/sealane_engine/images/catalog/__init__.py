"""The catalog: recipes that build base images from signed Debian packages, one file per image."""
