"""The fields of the schema, by subject: thin, they build operations and values; effects are the solver's."""
