"""queries/graphql."""
