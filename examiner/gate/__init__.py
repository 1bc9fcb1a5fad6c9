"""`examiner check`: right solutions get all points, wrong ones lose some, and an empty one gets none."""
