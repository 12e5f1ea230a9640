"""The page: sections compute tables, figures draw them, a template arranges."""
