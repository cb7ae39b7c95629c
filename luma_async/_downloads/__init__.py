"""Videos into files."""
