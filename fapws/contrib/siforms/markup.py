"""Text for HTML: the one place where siforms turns values into markup.

Invariant: what comes from a value can neither open a tag nor end an attribute in double quotes.
"""

_TEXT = type(u"")


def to_text(value):
    """A value as text. Bytes, which is what a form's values are on Python 2, are read as UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _TEXT(value)


def escape(value):
    """A value as text for an element's content or an attribute in double quotes."""
    text = to_text(value)
    # The ampersand first: the others bring their own.
    text = text.replace(u"&", u"&amp;").replace(u"<", u"&lt;")
    return text.replace(u">", u"&gt;").replace(u'"', u"&quot;")


def attributes(mapping):
    """A mapping as attributes, separated by blanks."""
    return u" ".join(u'%s="%s"' % (to_text(k), escape(v)) for k, v in mapping.items())
