"""Rules of `lint`, by subject. Each function yields the problems of one object or metric."""
