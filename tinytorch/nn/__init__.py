"""Neural network modules, a layer of the package each."""
