"""Generated from proto/skywalking/v3: the event service of SkyWalking."""
