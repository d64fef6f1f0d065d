"""Generated gRPC stubs of zabtree."""
