//! What can be wrong with a request, as one small value.
//!
//! Owns the list of rejections and their status codes, phrases and explanations; the bytes of a
//! response are [`super::reply`]'s. Every function of this island that judges what the peer sent
//! returns an [`HttpError`]. Invariant: the value is `Copy` and borrows nothing, so a rejection
//! costs no allocation and can outlive the buffer that caused it.

#![forbid(unsafe_code)]

/// A request that is rejected, by the status that says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpError {
    /// 400. The text says which rule was broken; it is fixed text, never the peer's bytes.
    BadRequest(&'static str),
    /// 404. No application is registered for the target.
    NotFound,
    /// 408. The request did not arrive in the time it was given.
    RequestTimeout,
    /// 411. A body was needed and its length was not announced.
    LengthRequired,
    /// 413. The body is longer than the configured limit.
    BodyTooLarge,
    /// 414. The request line is longer than the configured limit.
    TargetTooLong,
    /// 417. An `Expect` that is not `100-continue`.
    ExpectationFailed,
    /// 431. The head as a whole, or the number of its fields, is over the configured limit.
    HeadTooLarge,
    /// 500. Our side failed; in the legacy dialect also a head that cannot be understood.
    Internal,
    /// 501. A method or transfer coding that this server does not have.
    NotImplemented,
    /// 503. No capacity at the moment, or shutting down.
    Unavailable,
    /// 505. A major version of HTTP other than 1.
    Version,
}

impl HttpError {
    /// The status code of the response.
    pub fn status(self) -> u16 {
        match self {
            HttpError::BadRequest(_) => 400,
            HttpError::NotFound => 404,
            HttpError::RequestTimeout => 408,
            HttpError::LengthRequired => 411,
            HttpError::BodyTooLarge => 413,
            HttpError::TargetTooLong => 414,
            HttpError::ExpectationFailed => 417,
            HttpError::HeadTooLarge => 431,
            HttpError::Internal => 500,
            HttpError::NotImplemented => 501,
            HttpError::Unavailable => 503,
            HttpError::Version => 505,
        }
    }

    /// The reason phrase of the response's status line.
    pub fn phrase(self) -> &'static str {
        phrase(self.status())
    }

    /// One short line for the response's body, without a line end.
    pub fn detail(self) -> &'static str {
        match self {
            HttpError::BadRequest(rule) => rule,
            HttpError::NotFound => "nothing is served at this path",
            HttpError::RequestTimeout => "the request did not arrive in time",
            HttpError::LengthRequired => "a request with a body must announce its length",
            HttpError::BodyTooLarge => "the body is larger than this server takes",
            HttpError::TargetTooLong => "the request line is longer than this server takes",
            HttpError::ExpectationFailed => "only the expectation 100-continue is known",
            HttpError::HeadTooLarge => "the header section is larger than this server takes",
            HttpError::Internal => "the request could not be completed",
            HttpError::NotImplemented => "this method or transfer coding is not implemented",
            HttpError::Unavailable => "no capacity for the request at the moment",
            HttpError::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
        }
    }
}

/// The registered reason phrase of a status code, or that of its class where the code is not registered.
pub fn phrase(status: u16) -> &'static str {
    registered_phrase(status).unwrap_or(match status / 100 {
        1 => "Informational",
        2 => "Success",
        3 => "Redirection",
        4 => "Client Error",
        5 => "Server Error",
        _ => "Unknown",
    })
}

/// The registered reason phrase of a status code (IANA HTTP Status Code Registry).
pub fn registered_phrase(status: u16) -> Option<&'static str> {
    Some(match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [HttpError; 12] = [
        HttpError::BadRequest("a rule"),
        HttpError::NotFound,
        HttpError::RequestTimeout,
        HttpError::LengthRequired,
        HttpError::BodyTooLarge,
        HttpError::TargetTooLong,
        HttpError::ExpectationFailed,
        HttpError::HeadTooLarge,
        HttpError::Internal,
        HttpError::NotImplemented,
        HttpError::Unavailable,
        HttpError::Version,
    ];

    #[test]
    fn the_statuses_are_those_of_the_specification() {
        let statuses: Vec<u16> = ALL.iter().map(|error| error.status()).collect();
        assert_eq!(
            statuses,
            [400, 404, 408, 411, 413, 414, 417, 431, 500, 501, 503, 505]
        );
    }

    #[test]
    fn every_rejection_has_a_registered_phrase_and_one_line_of_explanation() {
        for error in ALL {
            assert!(!error.phrase().ends_with("Error") || error == HttpError::Internal);
            assert!(!error.detail().is_empty());
            assert!(error.detail().bytes().all(|b| (0x20..0x7f).contains(&b)));
        }
    }

    #[test]
    fn an_unregistered_status_has_the_phrase_of_its_class() {
        let phrases = [199, 299, 399, 499, 599, 999].map(phrase);
        let classes = [
            "Informational",
            "Success",
            "Redirection",
            "Client Error",
            "Server Error",
            "Unknown",
        ];
        assert_eq!(phrases, classes);
    }

    /// Their words are held against Python's `http.HTTPStatus` (`docs/test_status_phrases.py`).
    #[test]
    fn no_registered_status_is_forgotten() {
        let all = (100..600).filter_map(registered_phrase);
        assert_eq!(all.count(), 60);
    }
}
