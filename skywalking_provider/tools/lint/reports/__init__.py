"""Output formats of `lint`: text for people, JSON, SARIF 2.1.0 and GitHub's workflow commands. No I/O."""
