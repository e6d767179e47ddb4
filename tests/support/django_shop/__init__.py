"""A small Django project with django-rq, as a shop would have it."""
