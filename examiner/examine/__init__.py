"""The trusted end: starts candidates, follows and measures them, and writes the executed notebook."""
