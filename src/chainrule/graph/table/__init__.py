"""The table of primitives, one row each. Importing it fills the table."""
