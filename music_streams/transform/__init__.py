"""The transform, independent of the engine: :mod:`job` runs the steps through the two ports of :mod:`ports`."""
