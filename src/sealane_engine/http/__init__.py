"""Files from the web: fetched once, asked about again when a session wants them."""
