"""What runs a student's notebook: a warm server of the student environment, and the end that asks it."""
