"""A package whose metadata name no licence."""
