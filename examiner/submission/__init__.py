"""What a student handed in: files read up to a limit, and notebooks repaired."""
