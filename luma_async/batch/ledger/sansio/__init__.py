"""The life of an order, without I/O."""
