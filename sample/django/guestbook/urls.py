"""The only URL is the root."""
try:
    from django.urls import re_path
except ImportError:  # Django 1.11
    from django.conf.urls import url as re_path

from guestbook import views

urlpatterns = [re_path("^$", views.book, name="book")]
