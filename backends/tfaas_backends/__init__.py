"""What touches model files and TensorFlow: storages and runtimes. Imports only ``tfaas_core``."""
