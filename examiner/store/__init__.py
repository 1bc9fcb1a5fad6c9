"""Stores what counts: grade sheets, the gradebook that is made from them, and records of what was done."""
