"""Responses that consist of a head only."""


def redirect(start_response, location, permanent=None):
    """Send the client to `location`, with 301 if `permanent`, else 302; return the empty body."""
    headers = [("location", location), ("Content-Type", "text/plain")]
    if permanent:
        start_response("301 Moved Permanently", headers)
    else:
        # COMPAT(fapws3): HTTP/1.0's reason; RFC 9110 says Found, and lets a server say anything.
        start_response("302 Moved Temporarily", headers)
    return []
