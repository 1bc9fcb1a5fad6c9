"""The machine that grades: what it lacks, and JupyterLab on it."""
