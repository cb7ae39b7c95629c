"""What a paid request means, without I/O."""
