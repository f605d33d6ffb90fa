//! Attribute names and dict keys that are used at every request, interned once an interpreter.

use std::cell::Cell;
use std::ffi::CStr;

use super::ffi;
use super::gil::{Gil, GilCell};
use super::object::Owned;
use super::raised::Result;

macro_rules! names {
    ($($(#[$when:meta])* $field:ident = $text:literal,)*) => {
        /// The interned native strings. Visible in the crate only, so that the compiler finds one that
        /// nothing uses.
        #[allow(missing_docs, reason = "each field is the string it is named after")]
        pub(crate) struct Names { $($(#[$when])* pub(crate) $field: Owned,)* }

        impl Names {
            fn new(gil: Gil<'_>) -> Result<Names> {
                Ok(Names { $($(#[$when])* $field: interned(gil, $text)?,)* })
            }
        }
    };
}

names! {
    bytes_io = c"BytesIO",
    close = c"close",
    code = c"code",
    code_of_function = c"__code__",
    config = c"config",
    content_length = c"CONTENT_LENGTH",
    content_type = c"CONTENT_TYPE",
    cookies = c"cookies",
    date = c"Date",
    date_format = c"date_format",
    dialect = c"dialect",
    dict = c"__dict__",
    #[cfg(feature = "python2")]
    encode = c"encode",
    environ = c"Environ",
    exc_info = c"exc_info",
    excepthook = c"excepthook",
    fapws_major_minor = c"fapws.major_minor",
    fapws_params = c"fapws.params",
    fapws_raw_header = c"fapws.raw_header",
    fapws_remote_addr = c"fapws.remote_addr",
    fapws_remote_port = c"fapws.remote_port",
    fapws_socket_fd = c"fapws.socket_fd",
    fapws_uri = c"fapws.uri",
    fileno = c"fileno",
    flush = c"flush",
    format_exception = c"format_exception",
    getvalue = c"getvalue",
    http_content_type = c"HTTP_CONTENT_TYPE",
    http_host = c"HTTP_HOST",
    name = c"__name__",
    path_info = c"PATH_INFO",
    query_string = c"QUERY_STRING",
    raw_uri = c"RAW_URI",
    read = c"read",
    readline = c"readline",
    redirect_stderr = c"redirectStdErr",
    register = c"register",
    remote_addr = c"REMOTE_ADDR",
    remote_port = c"REMOTE_PORT",
    request_method = c"REQUEST_METHOD",
    request_uri = c"REQUEST_URI",
    request_protocol = c"REQUEST_PROTOCOL",
    response_headers = c"response_headers",
    script_name = c"SCRIPT_NAME",
    seek = c"seek",
    send_traceback_short = c"send_traceback_short",
    send_traceback_to_browser = c"send_traceback_to_browser",
    sent = c"sent",
    server = c"Server",
    server_ident = c"SERVER_IDENT",
    server_name = c"SERVER_NAME",
    server_port = c"SERVER_PORT",
    server_protocol = c"SERVER_PROTOCOL",
    server_software = c"SERVER_SOFTWARE",
    shutdown = c"shutdown",
    start_response = c"Start_response",
    status_code = c"status_code",
    status_reasons = c"status_reasons",
    stderr = c"stderr",
    string_io = c"StringIO",
    supported_http_command = c"supported_HTTP_command",
    sys = c"sys",
    tell = c"tell",
    update_from_request = c"update_from_request",
    update_headers = c"update_headers",
    update_uri = c"update_uri",
    werkzeug_socket = c"werkzeug.socket",
    write = c"write",
    wsgi_early_hints = c"wsgi.early_hints",
    wsgi_errors = c"wsgi.errors",
    wsgi_file_wrapper = c"wsgi.file_wrapper",
    wsgi_input = c"wsgi.input",
    wsgi_input_terminated = c"wsgi.input_terminated",
    wsgi_multiprocess = c"wsgi.multiprocess",
    wsgi_multithread = c"wsgi.multithread",
    wsgi_run_once = c"wsgi.run_once",
    wsgi_url_scheme = c"wsgi.url_scheme",
    wsgi_version = c"wsgi.version",
}

/// The interpreter's; those of one before it are left where they are.
static NAMES: GilCell<Cell<Option<&'static Names>>> = GilCell::new(Cell::new(None));

/// Interns them; called when the module is imported into an interpreter.
pub fn intern(gil: Gil<'_>) -> Result<()> {
    let made = Names::new(gil)?;
    NAMES.get(gil).set(Some(Box::leak(Box::new(made))));
    Ok(())
}

/// The interned strings.
pub(crate) fn names(gil: Gil<'_>) -> &Names {
    NAMES
        .get(gil)
        .get()
        .expect("interned when the module was imported")
}

/// An interned native string, for keys and attribute names.
pub fn interned(_: Gil<'_>, content: &CStr) -> Result<Owned> {
    // SAFETY: the text ends in NUL, the lock is held, the result is a new reference.
    unsafe {
        #[cfg(feature = "python2")]
        return Owned::new_reference(ffi::PyString_InternFromString(content.as_ptr()));
        #[cfg(feature = "python3")]
        Owned::new_reference(ffi::PyUnicode_InternFromString(content.as_ptr()))
    }
}
