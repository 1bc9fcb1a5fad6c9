"""What a student handed in: read within bounds, and mended."""
