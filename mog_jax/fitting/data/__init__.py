"""From what was given to datasets on their standard scale."""
