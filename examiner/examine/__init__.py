"""The trusted end: it starts candidates, follows and measures them, and writes the executed notebook."""
