"""The sandbox: what the kernel takes away from processes that run strangers' models."""
