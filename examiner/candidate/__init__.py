"""What runs in the student environment: a warm server, the candidates that it forks, and their snapshots."""
