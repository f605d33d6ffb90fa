"""The wiki's pages: one file each in one folder.

A page's name becomes its file's name through percent-encoding, and a name that is not a plain run
of letters, digits, blanks, dots and dashes is rejected. So no name, however it was made, leads out
of the folder. Names and texts are text (`unicode` on Python 2), files are UTF-8.
"""
import io
import os
import re

try:
    from urllib.parse import quote, unquote
except ImportError:  # Python 2
    from urllib import quote, unquote

SUFFIX = ".txt"
LONGEST_FILE_NAME = 200  # bytes, which every file system takes

# Begins and ends with a letter or digit of any language.
NAME = re.compile(u"\\w(?:[\\w .-]*\\w)?\\Z", re.UNICODE)


class Pages(object):
    def __init__(self, folder):
        self.folder = folder

    def names(self):
        """The names of all pages, in order."""
        stems = [name[: -len(SUFFIX)] for name in os.listdir(self.folder) if name.endswith(SUFFIX)]
        return sorted(name for name in map(page_name, stems) if is_name(name))

    def exists(self, name):
        return is_name(name) and os.path.isfile(self._path(name))

    def read(self, name):
        """The text of the page, which exists."""
        with io.open(self._path(name), encoding="utf-8") as page:
            return page.read()

    def write(self, name, text):
        """Make the page or replace its text. A reader sees the old text or the new, no mixture."""
        path = self._path(name)
        with io.open(path + ".new", "w", encoding="utf-8") as page:
            page.write(text)
        os.rename(path + ".new", path)

    def delete(self, name):
        """Remove the page, which exists."""
        os.unlink(self._path(name))

    def _path(self, name):
        if not is_name(name):
            raise ValueError("not a page's name: %r" % name)
        return os.path.join(self.folder, file_name(name))


def is_name(name):
    """Whether a page may be called that."""
    return bool(NAME.match(name)) and len(file_name(name)) <= LONGEST_FILE_NAME


def file_name(name):
    return quote(name.encode("utf-8"), safe="") + SUFFIX


def page_name(stem):
    """The reverse of `file_name`, without the suffix."""
    name = unquote(stem)
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
