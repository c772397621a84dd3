"""The permissions of roles, compared with the AWS calls of the code that uses them."""
