"""The command line: arguments in, what a person reads out, an exit code back."""
