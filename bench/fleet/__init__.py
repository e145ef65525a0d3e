"""Model of a fleet: many rollouts, replicas and OAPs beyond one machine, simulated with measured costs."""
