"""The same protocols over gRPC: their cases, and how they are sent."""
