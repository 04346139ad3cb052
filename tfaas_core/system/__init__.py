"""System: links between processes, signals, memory and logs."""
