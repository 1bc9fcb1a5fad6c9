"""Renderings of grades for other programs."""
