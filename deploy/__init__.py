"""What is deployed to AWS beside the template; see docs/deploy.md."""
