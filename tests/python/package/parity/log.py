"""The twin of fapws.contrib.log."""

import io
import re
import sys

from observe import case, environ, folder, report

from fapws import base
from fapws.contrib.log import Log

with io.open(folder() + "file", "wb") as made:
    made.write(b"0123456789")


class Output(object):
    text = ""
    flushed = 0

    def write(self, text):
        self.text += text

    def flush(self):
        self.flushed += 1


def line(result, without=(), **variables):
    """The line for a request, its time left out, how often it was flushed, what was returned."""

    def application(environ, start_response):
        start_response("201 Created", [])
        return result

    asked = environ(**variables)
    for name in without:
        del asked[name]
    output = Output()
    returned = Log(output)(application)(asked, base.Start_response())
    found = re.sub(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d GMT\]", "[TIME]", output.text)
    return found, output.flushed, returned is result


@case
def a_request():
    return line([b"hello", b"world"])


@case
def a_request_with_all_headers():
    return line(
        [],
        REQUEST_METHOD="POST",
        HTTP_REFERER="http://there/",
        HTTP_USER_AGENT="agent 1",
        HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2",
    )


@case
def a_file():
    with io.open(folder() + "file", "rb") as source:
        return line(source)


@case
def an_iterator():
    return line(iter([b"a"]))


@case
def nothing():
    return line(None)


@case
def a_tuple():
    return line((b"ab", b"c"))


@case
def a_list_with_an_item_that_is_not_a_string():
    return line([b"ab", None])


@case
def no_host():
    return line([], without=["HTTP_HOST"])


@case
def no_address():
    return line([], without=["fapws.remote_addr"])


@case
def the_environ_of_another_server():
    return line([], without=["fapws.uri"])


@case
def a_header_that_forges_a_line():
    return line([], HTTP_USER_AGENT='"\n10.0.0.2')


@case
def an_output_that_fails():
    class Full(Output):
        def write(self, text):
            raise IOError(28, "No space left on device")

    return Log(Full())(lambda environ, start_response: [])(environ(), base.Start_response())


@case
def the_default_output():
    return Log().output is sys.__stdout__


report()
