"""A hundred measurements a second through bad weather, and every promise asserted on each of them (`make soak`)."""
