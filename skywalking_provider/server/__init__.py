"""The service: the contract over gRPC, its health, its start and its stop."""
