"""The service process: gRPC service, HTTP listeners, start and stop."""
