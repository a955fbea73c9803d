/*
 * Records over HTTP: single POSTs, one under way on each connection, and NDJSON, one endless body on each connection that
 * is acknowledged as it goes. Both send the same measurement of a sensor again and again, of size_bytes.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { chunk_bytes = 64 * 1024, events_at_once = 256, in_bytes = 64 * 1024 };

struct sender {
  int fd;
  uint64_t sent_bytes;
  uint64_t records;
  bool wants_out;
  size_t in_length;
  char in[in_bytes];
};

struct load {
  const struct options *options;
  int epoll;
  bool is_lines;
  /* What is sent first, once. */
  char *head;
  size_t head_length;
  /* What is sent again and again: a request, or a chunk of lines. */
  char *block;
  size_t block_length;
  uint64_t block_records;
};

/* A JSON object of so many bytes. */
static void build_record(char *out, size_t size_bytes) {
  static const char start[] =
      "{\"device\":\"sensor-000042\",\"time\":1767225600123,\"temperature\":21.573,\"status\":\"";
  size_t length = sizeof start - 1;
  if (size_bytes < length + 2) fail("a record is larger than that");
  memcpy(out, start, length);
  memset(out + length, 'k', size_bytes - length - 2);
  memcpy(out + size_bytes - 2, "\"}", 2);
}

static void build(struct load *load) {
  const struct options *options = load->options;
  size_t size = options->size_bytes;
  load->head = calloc(1, 1024);
  load->block = malloc(chunk_bytes + size + 1024);
  const char *lines = "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/x-ndjson\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n";
  const char *single = "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n";
  if (!load->is_lines) {
    load->block_length =
        (size_t)snprintf(load->block, 1024, single, options->path, options->host, options->port, size);
    build_record(load->block + load->block_length, size);
    load->block_length += size;
    load->block_records = 1;
    return;
  }
  load->head_length = (size_t)snprintf(load->head, 1024, lines, options->path, options->host, options->port);
  load->block_records = chunk_bytes / size;
  load->block_length = (size_t)sprintf(load->block, "%zx\r\n", load->block_records * size);
  for (uint64_t i = 0; i < load->block_records; i++) {
    /* The newline belongs to the record's size. */
    build_record(load->block + load->block_length, size - 1);
    load->block_length += size - 1;
    load->block[load->block_length++] = '\n';
  }
  load->block[load->block_length++] = '\r';
  load->block[load->block_length++] = '\n';
}

static void open_sender(struct sender *sender, const struct load *load) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->options->port)};
  if (inet_pton(AF_INET, load->options->host, &address.sin_addr) != 1) fail("the host is an IPv4 address");
  sender->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (sender->fd < 0 || connect(sender->fd, (struct sockaddr *)&address, sizeof address) != 0)
    fail("the server takes no connection");
  int yes = 1;
  setsockopt(sender->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (load->head_length > 0 && write(sender->fd, load->head, load->head_length) != (ssize_t)load->head_length)
    fail("the head of a request was not taken");
  fcntl(sender->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = sender};
  epoll_ctl(load->epoll, EPOLL_CTL_ADD, sender->fd, &event);
}

static void send_on(const struct load *load, struct sender *sender) {
  uint64_t blocks = load->is_lines ? (sender->records + load->options->window) / load->block_records : sender->records + 1;
  uint64_t limit = blocks * load->block_length;
  bool wants_out = false;
  while (sender->sent_bytes < limit && !wants_out) {
    size_t position = sender->sent_bytes % load->block_length;
    uint64_t size = load->block_length - position;
    ssize_t sent = write(sender->fd, load->block + position, size);
    if (sent < 0 && errno == EAGAIN) wants_out = true;
    else if (sent < 0) fail("the server ended a connection");
    else sender->sent_bytes += (uint64_t)sent;
  }
  if (sender->wants_out == wants_out) return;
  sender->wants_out = wants_out;
  struct epoll_event event = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = sender};
  epoll_ctl(load->epoll, EPOLL_CTL_MOD, sender->fd, &event);
}

/* Takes one whole response; false where there is none. */
static bool take_response(struct sender *sender) {
  sender->in[sender->in_length] = 0;
  char *end = strstr(sender->in, "\r\n\r\n");
  if (end == NULL) return false;
  if (strncmp(sender->in, "HTTP/1.1 200", 12) != 0) {
    fprintf(stderr, "%s\n", sender->in);
    fail("the server answers with an error");
  }
  char *length = strcasestr(sender->in, "content-length: ");
  if (length == NULL || length > end) fail("a response has no length");
  size_t size = (size_t)(end + 4 - sender->in) + (size_t)atol(length + 16);
  if (sender->in_length < size) return false;
  memmove(sender->in, sender->in + size, sender->in_length - size);
  sender->in_length -= size;
  sender->records++;
  return true;
}

/* Takes the last acknowledgement that came whole. */
static void take_acknowledgements(struct sender *sender) {
  static const char mark[] = "\"acknowledged\":";
  sender->in[sender->in_length] = 0;
  if (strstr(sender->in, "\"error\"") != NULL) {
    fprintf(stderr, "%s\n", sender->in);
    fail("the server answers with an error");
  }
  char *line_end = memrchr(sender->in, '\n', sender->in_length);
  if (line_end == NULL) return;
  for (char *found = sender->in; (found = strstr(found, mark)) != NULL && found < line_end;) {
    found += sizeof mark - 1;
    uint64_t number = strtoull(found, NULL, 10);
    if (number < sender->records) fail("an acknowledgement goes backwards");
    sender->records = number;
  }
  size_t rest = sender->in_length - (size_t)(line_end + 1 - sender->in);
  memmove(sender->in, line_end + 1, rest);
  sender->in_length = rest;
}

static void receive(const struct load *load, struct sender *sender) {
  ssize_t got = read(sender->fd, sender->in + sender->in_length, in_bytes - 1 - sender->in_length);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("the server ended a connection");
  sender->in_length += (size_t)got;
  if (load->is_lines) take_acknowledgements(sender);
  else while (take_response(sender));
}

static uint64_t records_of_all(const struct sender *senders, int count) {
  uint64_t sum = 0;
  for (int i = 0; i < count; i++) sum += senders[i].records;
  return sum;
}

int run_http(const struct options *options, bool is_lines) {
  struct load load = {.options = options, .epoll = epoll_create1(0), .is_lines = is_lines};
  build(&load);
  struct sender *senders = calloc((size_t)options->connections, sizeof *senders);
  for (int i = 0; i < options->connections; i++) {
    open_sender(&senders[i], &load);
    send_on(&load, &senders[i]);
  }
  double measured_from = now_seconds() + options->warm_seconds;
  double until = measured_from + options->seconds;
  uint64_t before = 0;
  double cpu_before = 0;
  bool measuring = false;
  double now;
  while ((now = now_seconds()) < until) {
    if (!measuring && now >= measured_from) {
      measuring = true;
      measured_from = now;
      before = records_of_all(senders, options->connections);
      cpu_before = cpu_seconds();
    }
    struct epoll_event events[events_at_once];
    int count = epoll_wait(load.epoll, events, events_at_once, 20);
    for (int i = 0; i < count; i++) {
      struct sender *sender = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(&load, sender);
      send_on(&load, sender);
    }
  }
  uint64_t records = records_of_all(senders, options->connections) - before;
  printf("{\"records\":%llu,\"seconds\":%.4f,\"cpuSeconds\":%.4f}\n", (unsigned long long)records,
         now - measured_from, cpu_seconds() - cpu_before);
  return 0;
}
