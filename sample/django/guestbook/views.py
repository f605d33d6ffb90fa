"""One page that lists the entries and takes a new one."""
from django import forms
from django.shortcuts import redirect, render

from guestbook.models import Entry


class EntryForm(forms.ModelForm):
    class Meta:
        model = Entry
        fields = ["name", "words"]


def book(request):
    if request.method == "POST":
        form = EntryForm(request.POST)
        if form.is_valid():
            request.session["name"] = form.save().name
            return redirect("book")
    else:
        form = EntryForm(initial={"name": request.session.get("name", "")})
    request.session["visits"] = request.session.get("visits", 0) + 1
    page = {"form": form, "entries": Entry.objects.all()[:50], "visits": request.session["visits"]}
    status = 400 if form.errors else 200
    return render(request, "book.html", page, status=status)
