"""What runs in HTTP workers whose models are on other hosts."""
