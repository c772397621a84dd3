"""What a role may do, and what the code that runs in its name does."""
