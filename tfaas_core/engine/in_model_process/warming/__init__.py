"""What is found out about a servable by running it: before the first request, and of new shapes."""
