"""One run of the transform, whatever engine computes it: :mod:`job` joins the two ports of :mod:`ports`."""
