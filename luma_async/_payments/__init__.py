"""What is paid, once."""
