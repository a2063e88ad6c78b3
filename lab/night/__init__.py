"""A night without anyone: what stays of each night, and what of it is told in the morning."""
