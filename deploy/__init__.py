"""Check, package and upload what a deployment to AWS needs beside the template; see docs/deploy.md."""
