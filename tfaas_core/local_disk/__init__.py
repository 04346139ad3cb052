"""What storages do with folders and files of this machine."""
