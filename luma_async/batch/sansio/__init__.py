"""What a batch reads, without I/O."""
