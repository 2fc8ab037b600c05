"""What every route shares: dependencies, the route class, documented responses, OpenAPI."""
