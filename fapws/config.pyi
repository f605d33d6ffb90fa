SERVER_IDENT: str | None
date_format: str
send_traceback_to_browser: bool
send_traceback_short: str
dialect: str
max_request_line: int | None
max_header_size: int | None
max_header_count: int | None
max_chunk_extension: int
max_body_size: int
body_memory: int
max_connections: int | None
header_timeout: float
body_timeout: float
body_min_rate: float
write_timeout: float
keep_alive_timeout: float
graceful_timeout: float
backlog: int | None
tcp_defer_accept: bool
threads: int
slow_request: float
shutdown_delay: float
access_log: str | int | None
access_log_format: str | None
access_log_json: bool
access_log_skip: list[str] | tuple[str, ...]
health: str | None
multiprocess: bool | None
root_path: str
forwarded_allow_ips: str
proxy_headers: bool
proxy_protocol: str
proxy_allow_from: str
