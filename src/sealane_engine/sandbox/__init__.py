"""Where a step runs: a plan (data), a launcher of our own, runc as the second backend behind the same plan."""
