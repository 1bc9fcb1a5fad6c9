"""Renderings of grades for people."""
