"""Songs and users: their files are parsed once a version, and the rows of all files in force enrich streams."""
