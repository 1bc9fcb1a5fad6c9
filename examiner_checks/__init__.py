"""What grade cells are written with: checks on values, interfaces, gradients and speed."""
