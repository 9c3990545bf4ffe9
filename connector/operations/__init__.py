"""What the command line, the console and background work do alike."""
