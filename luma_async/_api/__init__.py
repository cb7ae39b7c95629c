"""What the service speaks, and one request to it."""
