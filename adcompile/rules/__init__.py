"""How each function differentiates: one file a family, one registry for all."""
