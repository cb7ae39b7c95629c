"""Text, without I/O."""
