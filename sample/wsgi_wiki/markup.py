"""From a page's text to HTML.

    = A heading
    * an item of a list
    [[A page]]        a link, to the form when there is no such page yet
    {{picture.png}}   a picture from static/img
    an empty line     ends a paragraph

Everything is escaped before anything else happens to it, so a page holds no HTML of its own.
"""
import re
from xml.sax.saxutils import escape as escape_text

try:
    from urllib.parse import quote
except ImportError:  # Python 2
    from urllib import quote

LINK = re.compile(u"\\[\\[([\\w .-]+)\\]\\]", re.UNICODE)
PICTURE = re.compile(u"\\{\\{([A-Za-z0-9_-]+\\.(?:png|jpg|gif))\\}\\}")


def escape(text):
    """Fit for HTML, between tags and inside a quoted attribute."""
    return escape_text(text, {u'"': u"&quot;", u"'": u"&#39;"})


def url(path, name=u""):
    """A path of ours, with a page's name behind it."""
    return path + quote(name.encode("utf-8"), safe="")


def render(text, exists):
    """The HTML of a page's text; `exists(name)` says whether there is a page of that name."""
    blocks = []
    for block in re.split(u"\\n\\s*\\n", text.replace(u"\r\n", u"\n").strip()):
        blocks.extend(_lines(block.split(u"\n"), exists))
    return u"\n".join(blocks)


def _lines(lines, exists):
    """The HTML of one block: runs of headings, of items, of anything else."""
    paragraph, items = [], []
    for line in lines + [None]:
        if items and not (line or u"").startswith(u"* "):
            yield u"<ul>%s</ul>" % u"".join(u"<li>%s</li>" % item for item in items)
            items = []
        if paragraph and (line is None or line.startswith((u"* ", u"= "))):
            yield u"<p>%s</p>" % u"<br>".join(paragraph)
            paragraph = []
        if line is None:
            return
        if line.startswith(u"* "):
            items.append(_inline(line[2:], exists))
        elif line.startswith(u"= "):
            yield u"<h2>%s</h2>" % _inline(line[2:], exists)
        elif line.strip():
            paragraph.append(_inline(line, exists))


def _inline(line, exists):
    def link(found):
        name = found.group(1).strip()
        if exists(name):
            return u'<a href="%s">%s</a>' % (url("/display/", name), name)
        return u'<a class="absent" href="%s">%s</a>' % (url("/edit?page=", name), name)

    line = PICTURE.sub(u'<img src="/static/img/\\1" alt="\\1">', escape(line))
    return LINK.sub(link, line)
