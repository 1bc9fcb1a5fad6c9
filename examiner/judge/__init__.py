"""What runs a grade cell: its compiled text, the names that it sees, proxies of a student's objects."""
