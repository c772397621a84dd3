"""Check, package and upload what a deployment to AWS needs in addition to the template; see docs/deploy.md."""
