/* libev's macros as functions, and the proof that ffi.rs declares its structs as ev.h does.
 *
 * Holds no state. The mirror structs below are ffi.rs's declarations, field by field, in C; the
 * assertions compare each with ev.h's own, so that a libev built with other options (EV_COMMON,
 * EV_MINPRI, no EV_MULTIPLICITY) fails here and not in a running server.
 */
#include <stddef.h>

#include <ev.h>

#if !EV_MULTIPLICITY || !EV_SIGNAL_ENABLE || !EV_IDLE_ENABLE || !EV_PREPARE_ENABLE \
    || !EV_CHECK_ENABLE || !EV_ASYNC_ENABLE || !EV_FEATURE_API
# error "this libev was built without a watcher type or the loop argument that the server needs"
#endif

struct mirror_watcher
{
  int active;
  int pending;
  int priority;
  void *data;
  void (*cb) (struct ev_loop *, void *, int);
};

struct mirror_io
{
  struct mirror_watcher base;
  void *next;
  int fd;
  int events;
};

struct mirror_timer
{
  struct mirror_watcher base;
  double at;
  double repeat;
};

struct mirror_signal
{
  struct mirror_watcher base;
  void *next;
  int signum;
};

struct mirror_async
{
  struct mirror_watcher base;
  int sent;
};

#define SAME_WHOLE(mirror, original)                                                             \
  _Static_assert (sizeof (struct mirror) == sizeof (struct original), "size of " #original);     \
  _Static_assert (_Alignof (struct mirror) == _Alignof (struct original), "alignment of " #original)
#define SAME_FIELD(mirror, field, original, name)                                                \
  _Static_assert (offsetof (struct mirror, field) == offsetof (struct original, name)            \
                  && sizeof (((struct mirror *)0)->field) == sizeof (((struct original *)0)->name), \
                  #original "." #name)
#define SAME_BASE(mirror, original)                                                              \
  SAME_FIELD (mirror, base.active, original, active);                                            \
  SAME_FIELD (mirror, base.pending, original, pending);                                          \
  SAME_FIELD (mirror, base.priority, original, priority);                                        \
  SAME_FIELD (mirror, base.data, original, data);                                                \
  SAME_FIELD (mirror, base.cb, original, cb)

SAME_WHOLE (mirror_watcher, ev_idle);
SAME_WHOLE (mirror_watcher, ev_check);
SAME_WHOLE (mirror_watcher, ev_prepare);
SAME_WHOLE (mirror_io, ev_io);
SAME_BASE (mirror_io, ev_io);
SAME_FIELD (mirror_io, next, ev_io, next);
SAME_FIELD (mirror_io, fd, ev_io, fd);
SAME_FIELD (mirror_io, events, ev_io, events);
SAME_WHOLE (mirror_timer, ev_timer);
SAME_BASE (mirror_timer, ev_timer);
SAME_FIELD (mirror_timer, at, ev_timer, at);
SAME_FIELD (mirror_timer, repeat, ev_timer, repeat);
SAME_WHOLE (mirror_signal, ev_signal);
SAME_BASE (mirror_signal, ev_signal);
SAME_FIELD (mirror_signal, next, ev_signal, next);
SAME_FIELD (mirror_signal, signum, ev_signal, signum);
SAME_WHOLE (mirror_async, ev_async);
SAME_BASE (mirror_async, ev_async);
SAME_FIELD (mirror_async, sent, ev_async, sent);

int
fapws_ev_is_active (const void *watcher)
{
  return ev_is_active (watcher) != 0;
}

void
fapws_ev_io_set (struct ev_io *io, int fd, int events)
{
  ev_io_set (io, fd, events);
}

/* Other events on the same descriptor: libev may then skip the system call. */
void
fapws_ev_io_modify (struct ev_io *io, int events)
{
#ifdef ev_io_modify
  ev_io_modify (io, events);
#else
  ev_io_set (io, io->fd, events); /* libev before 4.32 */
#endif
}

void
fapws_ev_timer_set (struct ev_timer *timer, double after, double repeat)
{
  ev_timer_set (timer, after, repeat);
}
