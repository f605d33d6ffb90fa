"""How children are ended: the signals that each is sent, and when.

A worker that is sent SIGTERM drains; the second one, when its grace is over, ends it at once; then
it is killed. Who ends, and why, is decided elsewhere.
"""

import signal

from fapws.process import clock, send_signal

#: What a worker that is sent its last signal but one gets before it is killed, in seconds.
KILL_AFTER = 2.0


def grace_of(settings):
    """What requests in flight get. The core keeps graceful_timeout; a second is left to it."""
    return float(settings.graceful_timeout or 0) + 1


def terminate(worker, grace, sent=False):
    """Have a worker drain; again after `grace` seconds, when it ends at once. sent: whether it has
    the first signal already.
    """
    due = clock() + grace
    if worker.leaving:
        if due < worker.pending_signals[0][0] and len(worker.pending_signals) == 1:
            worker.pending_signals = [(due,) + worker.pending_signals[0][1:]]
        return
    if not sent:
        send_signal(worker.pid, signal.SIGTERM)
    worker.pending_signals = [(due, signal.SIGTERM, grace > 0)]


def hasten(worker):
    """End a worker that drains at once."""
    send_signal(worker.pid, signal.SIGTERM)
    worker.kill_at(clock() + KILL_AFTER)


def terminate_templates(templates):
    """End templates, which have nothing in flight."""
    for template in templates:
        if not template.leaving:
            hasten(template)


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
