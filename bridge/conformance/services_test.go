package conformance

func stopServices() {}
