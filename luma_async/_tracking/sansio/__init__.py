"""When to ask for which generations, without I/O."""
