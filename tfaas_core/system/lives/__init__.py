"""Lives: how processes start, stop and end, and who notices."""
