"""Its background jobs."""

from django.apps import apps


def count_models():
    """Needs Django to be set up in the process that runs it."""
    return len(apps.get_models())
