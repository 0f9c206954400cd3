"""What is said of an image and proved: its SBOM, its provenance, signatures over both, and verifying them."""
