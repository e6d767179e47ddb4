"""Its pages: the admin, with django-rq's among them."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("rq/", include("django_rq.urls"))]
