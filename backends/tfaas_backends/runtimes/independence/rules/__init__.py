"""What each op does to rows: a table of rules per family of ops."""
