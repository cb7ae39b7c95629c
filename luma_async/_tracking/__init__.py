"""Many waiters, few status requests."""
