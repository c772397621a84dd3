from tests.unit.template.conftest import resources, translated

__all__ = ["resources", "translated"]
