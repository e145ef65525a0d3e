"""GraphQL protocol of SkyWalking: requests and typed responses. No I/O."""
