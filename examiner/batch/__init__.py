"""Grades many submissions: finds those that need it, and grades them in parallel worker processes."""
