"""Dagger's session protocol: schema, documents, ids, and the HTTP server that speaks it."""
