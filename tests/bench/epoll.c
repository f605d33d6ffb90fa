/* The limit of one core: what the kernel's TCP alone costs for each scenario.
 *
 * A single-threaded epoll loop that answers every request with fixed bytes. It looks for the
 * blank line that ends a head (and counts the body's bytes where the mode has one), nothing
 * else: no method, no headers, no memory per request. A WSGI server cannot be faster than this;
 * the benchmark states its targets as multiples of it.
 *
 * usage: epoll PORT MODE [ARGUMENT]
 *   hello            the hello answer; the answers to all requests of one read leave in one send
 *   close            the same with `Connection: close`, one request a connection, whose end goes
 *                    in the packet of the answer
 *   post LENGTH      reads LENGTH bytes of body after each head, then answers
 *   body LENGTH      LENGTH bytes from memory, head and body in one writev
 *   file PATH        the file by sendfile
 *   stream           ten chunks (chunked coding), each in a send of its own
 *
 * Invariant: a connection is watched for EPOLLIN unless it owes bytes that the kernel would not
 * take; then it is watched for EPOLLOUT alone until they are out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS = 512, ACCEPTS = 64, READ_SIZE = 65536, COPIES = 64, CHUNKS = 10, CARRY = 3 };

#define COMMON_HEAD                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"       \
    "Server: epoll\r\n"

enum mode { HELLO, CLOSE, POST, BODY, FILE_MODE, STREAM };

struct conn {
    int fd;
    int blocked;           /* watched for EPOLLOUT */
    int carried;           /* bytes in `carry`: the end of an unfinished head */
    char carry[CARRY];
    size_t body_left;      /* of the request being read */
    size_t owed;           /* answers not yet sent whole */
    size_t sent;           /* bytes of the first owed answer that are out */
    struct conn *next_free;
};

static enum mode mode;
static int epoll_fd;
static size_t request_body;                  /* POST: bytes after each head */
static char head[512];
static size_t head_length;
static char *body = "";                      /* BODY: memory; FILE_MODE: only its length counts */
static size_t body_length;
static int file_fd = -1;
static char *copies;                         /* the whole small answer, COPIES times over */
static size_t answer_length;                 /* head and body of one answer */
static size_t cuts[CHUNKS + 1];              /* STREAM: where each send ends in the answer */
static struct conn *free_conns;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct conn *new_conn(int fd)
{
    struct conn *c = free_conns;
    if (c)
        free_conns = c->next_free;
    else if (!(c = malloc(sizeof *c)))
        die("malloc");
    memset(c, 0, sizeof *c);
    c->fd = fd;
    return c;
}

static void drop(struct conn *c)
{
    close(c->fd);
    c->next_free = free_conns;
    free_conns = c;
}

/* How many requests end in [at, end). The last bytes of an unfinished head are kept, since the
 * blank line may be split between two reads. */
static size_t requests_in(struct conn *c, char *at, char *end)
{
    size_t whole = 0;
    while (at < end) {
        if (c->body_left) {
            size_t take = (size_t)(end - at) < c->body_left ? (size_t)(end - at) : c->body_left;
            at += take;
            c->body_left -= take;
            whole += !c->body_left;
            continue;
        }
        char *blank = memmem(at, end - at, "\r\n\r\n", 4);
        if (!blank)
            break;
        at = blank + 4;
        c->body_left = request_body;
        whole += !request_body;
    }
    c->carried = end - at < CARRY ? end - at : CARRY;
    memcpy(c->carry, end - c->carried, c->carried);
    return whole;
}

/* One system call towards the first owed answer; bytes accepted by the kernel, or -1. */
static ssize_t send_some(struct conn *c)
{
    if (mode == BODY) {
        if (c->sent >= head_length)
            return send(c->fd, body + (c->sent - head_length), answer_length - c->sent, 0);
        struct iovec parts[2] = {{head + c->sent, head_length - c->sent}, {body, body_length}};
        return writev(c->fd, parts, 2);
    }
    if (mode == FILE_MODE) {
        if (c->sent < head_length)
            return send(c->fd, head + c->sent, head_length - c->sent, MSG_MORE);
        off_t offset = c->sent - head_length;
        return sendfile(c->fd, file_fd, &offset, answer_length - c->sent);
    }
    if (mode == STREAM) {
        int i = 0;
        while (cuts[i] <= c->sent)
            i++;
        return send(c->fd, copies + c->sent, cuts[i] - c->sent, 0);
    }
    size_t batch = c->owed < COPIES ? c->owed : COPIES;
    int flags = mode == CLOSE ? MSG_MORE : 0;
    return send(c->fd, copies + c->sent, batch * answer_length - c->sent, flags);
}

static void watch(struct conn *c, int operation, unsigned events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &e) < 0)
        die("epoll_ctl");
    c->blocked = events == EPOLLOUT;
}

enum fate { KEEP, GONE };

/* Sends what is owed; watches for room when the kernel has none. */
static enum fate flush(struct conn *c, int watched)
{
    while (c->owed) {
        ssize_t n = send_some(c);
        if (n < 0 && errno == EAGAIN) {
            if (!c->blocked)
                watch(c, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, EPOLLOUT);
            return KEEP;
        }
        if (n <= 0)
            return GONE;
        c->sent += n;
        while (c->owed && c->sent >= answer_length) {
            c->sent -= answer_length;
            c->owed--;
        }
    }
    if (mode == CLOSE) {
        shutdown(c->fd, SHUT_WR);
        return GONE;
    }
    if (c->blocked)
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
    return KEEP;
}

/* Reads once and answers what is complete. `watched` is 0 right after the accept. */
static enum fate readable(struct conn *c, int watched)
{
    static char buffer[CARRY + READ_SIZE];
    ssize_t n = recv(c->fd, buffer + CARRY, READ_SIZE, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return GONE;
    if (n > 0) {
        char *start = buffer + CARRY - c->carried;
        memcpy(start, c->carry, c->carried);
        c->owed += requests_in(c, start, buffer + CARRY + n);
        if (c->owed && flush(c, watched) == GONE)
            return GONE;
    }
    if (!watched && !c->blocked)
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    return KEEP;
}

static void acceptable(int listener)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct conn *c = new_conn(fd);
        if (readable(c, 0) == GONE)
            drop(c);
    }
}

static int listen_on(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        die("listen");
    return fd;
}

/* Head and body of the one answer that this mode gives. */
static void prepare(const char *argument)
{
    static char made[CHUNKS * 128 + 8];
    const char *framing = "";
    if (mode == HELLO || mode == CLOSE || mode == POST) {
        body = "Hello, World!";
        if (mode == CLOSE)
            framing = "Connection: close\r\n";
        if (mode == POST) {
            request_body = strtoul(argument, NULL, 10);
            snprintf(body = made, sizeof made, "%zu", request_body);
        }
        body_length = strlen(body);
    } else if (mode == BODY) {
        body_length = strtoul(argument, NULL, 10);
        if (!(body = malloc(body_length)))
            die("malloc");
        memset(body, 'x', body_length);
    } else if (mode == FILE_MODE) {
        struct stat about;
        file_fd = open(argument, O_RDONLY | O_CLOEXEC);
        if (file_fd < 0 || fstat(file_fd, &about) < 0)
            die(argument);
        body_length = about.st_size;
    }
    if (mode == STREAM)
        head_length = snprintf(head, sizeof head, COMMON_HEAD "Transfer-Encoding: chunked\r\n\r\n");
    else
        head_length = snprintf(head, sizeof head, COMMON_HEAD "%sContent-Length: %zu\r\n\r\n",
                               framing, body_length);
    if (mode == STREAM) {
        char *at = body = made;
        for (int i = 0; i < CHUNKS; i++) {
            at += sprintf(at, "65\r\n%0100d\n\r\n", i);
            cuts[i] = head_length + (at - made);
        }
        at += sprintf(at, "0\r\n\r\n");
        body_length = at - made;
        cuts[CHUNKS] = head_length + body_length;
    }
    answer_length = head_length + body_length;
    if (mode == BODY || mode == FILE_MODE)
        return;
    if (!(copies = malloc(COPIES * answer_length)))
        die("malloc");
    for (int i = 0; i < COPIES; i++) {
        memcpy(copies + i * answer_length, head, head_length);
        memcpy(copies + i * answer_length + head_length, body, body_length);
    }
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"hello", "close", "post", "body", "file", "stream"};
    static const int wants_argument[] = {0, 0, 1, 1, 1, 0};
    int known = sizeof modes / sizeof *modes, found = 0;
    while (argc > 2 && found < known && strcmp(argv[2], modes[found]))
        found++;
    if (argc < 3 || found == known || argc < 3 + wants_argument[found]) {
        fprintf(stderr, "usage: epoll PORT hello|close|post N|body N|file PATH|stream\n");
        return 2;
    }
    mode = found;
    prepare(argv[3]);
    signal(SIGPIPE, SIG_IGN);

    int listener = listen_on(atoi(argv[1]));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event incoming = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &incoming) < 0)
        die("epoll");
    for (;;) {
        static struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (!c)
                acceptable(listener);
            else if ((c->blocked ? flush(c, 1) : readable(c, 1)) == GONE)
                drop(c);
        }
    }
}
