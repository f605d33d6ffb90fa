"""Django's hello without middleware: its handler, its URL resolver and one view."""

from django_site import application

app = application(middleware=[])
