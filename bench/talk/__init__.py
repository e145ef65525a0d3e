"""The talk as a whole on one machine: from a Git commit to Argo CD's health, with real traffic."""
