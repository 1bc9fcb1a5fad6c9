"""What is left to nbgrader: releases, late penalties, pages of feedback. Only these modules import it."""
