"""What it means that a server refuses a message, checked the same way everywhere.

A refusal is one answer with the right status, framed, saying `Connection: close`, and then the
end of the stream: nothing that stood behind the refused message is taken for a request.
"""

from standard.message import request
from standard.probe import framing

#: Follows a refused message. Were it answered, the two ends would disagree on where it began.
SMUGGLED = request("/ignore?name=smuggled")


def assert_refused(probe, data, statuses, follow=SMUGGLED, method="GET"):
    """Send `data` and what follows; assert one answer with a status of `statuses`, then the end."""
    statuses = {statuses} if isinstance(statuses, int) else set(statuses)
    with probe.connect() as client:
        client.send(data + follow)
        answer = client.response(method)
        assert answer.status in statuses, answer
        assert_closing(answer)
        assert client.read_to_end() == b"", "something came after the refusal"
    return answer


def assert_closing(answer):
    """An error answer of the server itself: short text, closing, no traceback."""
    assert (answer.header("Connection") or "").lower() == "close", answer
    assert framing(answer) == "length", answer
    assert answer.header("Content-Type", "").startswith("text/plain"), answer
    assert answer.header("Date"), answer
    assert len(answer.body) < 500 and b"Traceback" not in answer.body, answer
