"""The twin of fapws.contrib.zip."""

import io
import zlib

from observe import ask, case, folder, report

from fapws.contrib.zip import Gzip

BODY = b"0123456789" * 1000
with io.open(folder() + "file", "wb") as made:
    made.write(BODY)


def get(result, accepted="gzip, deflate", headers=(), status="200 OK"):
    """The answer, its body decompressed, its length as whether it is right, without Vary."""

    def application(environ, start_response):
        start_response(status, [("Content-Type", "text/plain")] + list(headers))
        return result

    answer = ask(Gzip()(application), "Vary", HTTP_ACCEPT_ENCODING=accepted)
    length = answer["headers"].get("Content-Length")
    answer["headers"]["Content-Length"] = length and length == str(len(answer["body"]))
    if answer["body"].startswith(b"\x1f\x8b"):
        answer["body"] = zlib.decompress(answer["body"], 16 + zlib.MAX_WBITS)
    return answer


@case
def a_list():
    return get([BODY[:10], BODY[10:]])


@case
def a_list_whose_length_was_told():
    return get([BODY], headers=[("Content-Length", "10000")])


@case
def an_empty_list():
    return get([])


@case
def a_file():
    with io.open(folder() + "file", "rb") as source:
        return get(source)


@case
def not_accepted():
    return get([BODY], ""), get([BODY], "deflate")


@case
def a_file_not_accepted():
    with io.open(folder() + "file", "rb") as source:
        return get(source, "")


@case
def rejected_by_weight():
    return get([BODY], "gzip;q=0")["headers"].get("Content-Encoding")


@case
def a_tuple():
    return get((BODY,))


@case
def an_iterator():
    return get(iter([BODY]))


@case
def text():
    return get([u"caf\xe9"])


@case
def not_modified():
    return get([], status="304 Not Modified")


@case
def encoded_before():
    return get([b"encoded"], headers=[("Content-Encoding", "br")])


@case
def a_strong_tag():
    return get([BODY], headers=[("ETag", '"a"')])["headers"]["ETag"]


@case
def vary():
    def application(environ, start_response):
        start_response("200 OK", [])
        return [BODY]

    return ask(Gzip()(application), HTTP_ACCEPT_ENCODING="gzip")["headers"].get("Vary")


report()
