"""Asks for pages of django-rq, as a signed-in operator, and prints their status codes as JSON.

python -m django_shop.pages PAGE ...; a page that begins with `POST ` is posted.
"""

import json
import os
import sys


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_shop.settings"
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client(raise_request_exception=False)
    client.force_login(get_user_model().objects.create_superuser("operator"))
    found = {}
    for page in sys.argv[1:]:
        method, _, path = page.rpartition(" ")
        found[page] = (client.post(path, {"post": "yes"}) if method == "POST" else client.get(path)).status_code
    print(json.dumps(found))


if __name__ == "__main__":
    main()
