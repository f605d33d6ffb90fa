"""`python -m fapws --reload project.wsgi` in the place of Django's `runserver`."""

import pytest
from command import Command, write
from support.process import Process, wait_until

pytestmark = pytest.mark.wire

MANAGED = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles"]

PROJECT = {
    "__init__": "",
    "settings": f"""
        DEBUG = True
        SECRET_KEY = "x"
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "site_of_ours.urls"
        INSTALLED_APPS = {MANAGED + ["django.contrib.admin"]!r}
        STATIC_URL = "/static/"
        MIDDLEWARE = MIDDLEWARE_CLASSES = [
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ]
        TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates"}}]
    """,
    "urls": """
        from site_of_ours import views
        try:
            from django.urls import re_path as url
        except ImportError:
            from django.conf.urls import url
        urlpatterns = [url("^hello$", views.hello)]
    """,
    "views": """
        from django.http import HttpResponse

        def hello(request):
            return HttpResponse("hello")
    """,
    "wsgi": """
        import os
        os.environ["DJANGO_SETTINGS_MODULE"] = "site_of_ours.settings"
        from django.core.wsgi import get_wsgi_application
        application = get_wsgi_application()
    """,
}


class Development(Command):
    """The command at a project, not waited for."""

    def start(self):
        return Process.start(self)


@pytest.fixture
def develop(interpreter, start_process, home):
    write(home / "site_of_ours", **PROJECT)

    def develop(*arguments):
        env = {"PYTHONPATH": str(interpreter.library("django"))}
        words = [*arguments, "site_of_ours.wsgi"]
        return start_process(Development, interpreter, *words, home=home, env=env)

    return develop


def status(command, target):
    try:
        return command.get(target).status
    except OSError:
        return None


def test_the_static_files_of_the_admin(develop):
    command = develop("--reload")
    wait_until(lambda: status(command, "/hello") == 200, "the project")
    style = command.get("/static/admin/css/base.css")
    assert style.status == 200 and style.header("Content-Type").startswith("text/css")
    assert command.get("/static/nothing.css").status == 404
    assert command.get("/hello").body == b"hello"


def test_without_reload_they_are_not_served(develop):
    command = develop()
    wait_until(lambda: status(command, "/hello") == 200, "the project")
    assert command.get("/static/admin/css/base.css").status == 404


def test_a_syntax_error_is_one_page_and_is_mended(develop, home):
    write(home / "site_of_ours", views="def hello(request):\n    return oops oops\n")
    command = develop("--reload")
    command.wait_for_output("importing the project's URLs failed", "stderr")
    wait_until(lambda: status(command, "/hello") == 500, "Django's page")
    page = command.get("/hello").body
    assert b"SyntaxError" in page and b"views.py, line 2" in page
    assert command.stderr.count("SyntaxError") == 1 and "During handling" not in command.stderr
    assert len(command.stderr.splitlines()) < 25
    write(home / "site_of_ours", views=PROJECT["views"])
    wait_until(lambda: status(command, "/hello") == 200, "the mended view")
