"""The standardized tasks, one folder each: what it draws, what it asks, how it scores."""
