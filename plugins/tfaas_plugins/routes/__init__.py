"""Routes beside the predict routes."""
