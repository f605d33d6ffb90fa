"""A Django project in one file: settings, one URL, one view."""

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path


def hello(request):
    """A body and its type; Django adds the length where a middleware does."""
    return HttpResponse("Hello, World!", content_type="text/plain")


urlpatterns = [path("", hello)]


def application(middleware, installed=()):
    """The WSGI application of a project with this middleware; once in a process."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEBUG=False,
        INSTALLED_APPS=list(installed),
        MIDDLEWARE=middleware,
        ROOT_URLCONF=__name__,
        SECRET_KEY="of no use outside the benchmark",
        USE_TZ=True,
    )
    django.setup()
    return get_wsgi_application()
