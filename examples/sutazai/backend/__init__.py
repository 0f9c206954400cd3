"""A task board for agents: Postgres remembers, Redis queues and caches."""
