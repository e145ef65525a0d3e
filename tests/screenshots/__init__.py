"""Pictures of docs/, made by the tests' own fixtures. `make screenshots` renews all of them."""
