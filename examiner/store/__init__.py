"""What counts: grade sheets, the gradebook that is made from them, and what was done when."""
