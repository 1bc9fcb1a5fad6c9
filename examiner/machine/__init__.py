"""The machine that grades: whether it can, and how JupyterLab is started on it."""
