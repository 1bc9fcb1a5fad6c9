"""Many submissions: which of them need grading, and worker processes that grade them side by side."""
