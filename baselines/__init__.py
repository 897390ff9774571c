"""The methods that ship with fourfold, one folder a task."""
