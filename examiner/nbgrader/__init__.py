"""What nbgrader does itself: releases, late penalties, feedback. Only this package and `plugin` import it."""
