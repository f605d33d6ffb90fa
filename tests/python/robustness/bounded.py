"""A probe whose process begins in a shell: with limits, or with streams that are not files."""

from standard.probe import Probe


class BoundedProbe(Probe):
    """`shell` is run first; `redirect` is what the shell appends to the server's command."""

    def __init__(self, environment, app, folder, shell="true", redirect="", **settings):
        super().__init__(environment, app, folder, **settings)
        script = f'{shell}; exec "$@" {redirect}'
        self.command = ["/bin/sh", "-c", script, "sh", *self.command]
