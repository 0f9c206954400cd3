"""Where a base image comes from: the store, then its registry, then the catalog of recipes."""
