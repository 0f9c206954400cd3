"""The stages: one file each. A stage takes a project (dagger values and configuration) and answers a stage result.

Nothing here knows which engine runs it: stages speak the public API of `dagger-io` and nothing else.
"""
