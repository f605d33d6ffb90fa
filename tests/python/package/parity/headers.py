"""The twin of fapws.contrib.headers."""

from observe import case, report

from fapws import base
from fapws.contrib.headers import redirect


def redirected(*arguments):
    start_response = base.Start_response()
    body = redirect(start_response, *arguments)
    lines = str(start_response).split("\r\n")
    return body, lines[0], sorted(lines[1:])


@case
def temporary():
    return redirected("/there?a=b"), redirected("http://x/", False)


@case
def permanent():
    return redirected("/there", True), redirected("/there", "yes")


@case
def a_location_that_splits_the_head():
    return redirected("/there\r\nSet-Cookie: a=b")


report()
