"""Network: addresses, TLS, and connections whose other end is gone."""
