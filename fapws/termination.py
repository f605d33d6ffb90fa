"""How children are ended: the signals that each is sent, and when.

A worker that is sent SIGTERM drains; a second signal, when its grace is over, ends it at once; then
it is killed. What others send it is not counted with these. The second one is SIGINT: of two
SIGTERM, the kernel drops the one that comes before the worker has taken the other. Who ends, and
why, is decided elsewhere.
"""

import signal

from fapws.process import clock, send_signal

#: What a worker that is sent its last signal but one gets before it is killed, in seconds.
KILL_AFTER = 2.0


def grace_of(settings):
    """What requests in flight get. The core keeps graceful_timeout; a second is left to it."""
    return float(settings.graceful_timeout or 0) + 1


def terminate(worker, grace):
    """Have a worker drain; again after `grace` seconds, when it ends at once."""
    due = clock() + grace
    if worker.leaving:
        if due < worker.pending_signals[0][0] and len(worker.pending_signals) == 1:
            worker.pending_signals = [(due,) + worker.pending_signals[0][1:]]
        return
    send_signal(worker.pid, signal.SIGTERM)
    worker.pending_signals = [(due, signal.SIGINT, grace > 0)]


def hasten(worker):
    """End a worker that drains at once."""
    _send_last(worker, signal.SIGINT)


def terminate_templates(templates):
    """End templates, which have nothing in flight."""
    for template in templates:
        if not template.leaving:
            # They ignore SIGINT.
            _send_last(template, signal.SIGTERM)


def _send_last(child, number):
    """Send a child the last signal but one."""
    send_signal(child.pid, number)
    child.kill_at(clock() + KILL_AFTER)


def send_due_signals(children, now, log):
    """Send what is due, with a line where a child has not ended in time."""
    for child in children:
        while child.pending_signals and child.pending_signals[0][0] <= now:
            number, is_late = child.pending_signals[0][1:]
            del child.pending_signals[0]
            if not child.pending_signals:
                child.kill_at(now + KILL_AFTER)
            if is_late:
                log.warning("process %d has not ended in time: %s", child.pid, (
                    "it is killed" if number == signal.SIGKILL else "its connections are closed"))
            send_signal(child.pid, number)
