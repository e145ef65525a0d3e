"""The query type `query`: the author's own GraphQL."""
