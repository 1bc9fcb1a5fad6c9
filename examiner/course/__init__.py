"""What the instructor wrote: course.toml or nbgrader's settings, the roster, the student environment."""
