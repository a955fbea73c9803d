/*
 * Publishers that send the same message again and again, with at most `window` of them not acknowledged yet, and count
 * what is acknowledged: the server says up to which message of the connection.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { block_bytes = 128 * 1024, events_at_once = 64 };

struct publishing {
  const struct options *options;
  int epoll;
  /* Whole messages, one behind the other. */
  uint8_t *block;
  size_t block_length;
  size_t frame_bytes;
};

static uint64_t number_at(const uint8_t *text, size_t length) {
  uint64_t number = 0;
  for (size_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) number = number * 10 + (text[i] - '0');
  return number;
}

static void take_acknowledgement(struct connection *connection, const uint8_t *payload, size_t length, void *context) {
  const struct publishing *publishing = context;
  const char *mark = publishing->options->ack_mark;
  size_t mark_bytes = strlen(mark);
  if (mark_bytes > 0) {
    if (memmem(payload, length, "\"error\"", 7) != NULL) {
      fprintf(stderr, "%.*s\n", (int)length, (const char *)payload);
      fail("the server answers with an error");
    }
    const uint8_t *found = memmem(payload, length, mark, mark_bytes);
    if (found == NULL) return;
    length -= (size_t)(found + mark_bytes - payload);
    payload = found + mark_bytes;
  } else if (length > 0 && payload[0] == '{') {
    fprintf(stderr, "%.*s\n", (int)length, (const char *)payload);
    fail("the server answers with an error");
  }
  uint64_t number = number_at(payload, length);
  if (number < connection->acknowledged) fail("an acknowledgement goes backwards");
  if (number * publishing->frame_bytes > connection->sent_bytes) fail("something is acknowledged that was not sent");
  connection->acknowledged = number;
}

static void watch_out(const struct publishing *publishing, struct connection *connection, bool wants_out) {
  if (connection->wants_out == wants_out) return;
  connection->wants_out = wants_out;
  struct epoll_event event = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = connection};
  epoll_ctl(publishing->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

/* Sends what the window allows and the socket takes. */
static void send_on(const struct publishing *publishing, struct connection *connection) {
  uint64_t limit = (connection->acknowledged + publishing->options->window) * publishing->frame_bytes;
  while (connection->sent_bytes < limit) {
    size_t position = connection->sent_bytes % publishing->block_length;
    uint64_t size = publishing->block_length - position;
    if (size > limit - connection->sent_bytes) size = limit - connection->sent_bytes;
    ssize_t sent = write(connection->fd, publishing->block + position, size);
    if (sent < 0 && errno == EAGAIN) return watch_out(publishing, connection, true);
    if (sent < 0) fail("the server ended a publisher's connection");
    connection->sent_bytes += (uint64_t)sent;
  }
  watch_out(publishing, connection, false);
}

static uint64_t acknowledged_by_all(const struct connection *connections, int count) {
  uint64_t sum = 0;
  for (int i = 0; i < count; i++) sum += connections[i].acknowledged;
  return sum;
}

int run_publish(const struct options *options) {
  struct publishing publishing = {.options = options, .epoll = epoll_create1(0)};
  size_t largest_frame = options->size_bytes + strlen(options->prefix) + strlen(options->suffix) + 16;
  publishing.block = malloc(block_bytes + largest_frame);
  do {
    uint8_t *frame = publishing.block + publishing.block_length;
    publishing.frame_bytes =
        build_frame(frame, options->prefix, options->size_bytes, options->suffix, options->text);
    publishing.block_length += publishing.frame_bytes;
  } while (publishing.block_length < block_bytes);

  struct connection *connections = calloc((size_t)options->connections, sizeof *connections);
  for (int i = 0; i < options->connections; i++) {
    open_web_socket(&connections[i], options, options->path, options->protocol);
    if (options->hello != NULL) send_text(&connections[i], options->hello);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
    epoll_ctl(publishing.epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
    send_on(&publishing, &connections[i]);
  }
  double started = now_seconds();
  double measured_from = started + options->warm_seconds;
  double until = measured_from + options->seconds;
  uint64_t before = 0;
  double cpu_before = 0;
  bool measuring = false;
  double now;
  while ((now = now_seconds()) < until) {
    if (!measuring && now >= measured_from) {
      measuring = true;
      measured_from = now;
      before = acknowledged_by_all(connections, options->connections);
      cpu_before = cpu_seconds();
    }
    struct epoll_event events[events_at_once];
    int count = epoll_wait(publishing.epoll, events, events_at_once, 20);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive_frames(connection, take_acknowledgement, &publishing);
      send_on(&publishing, connection);
    }
  }
  uint64_t records = acknowledged_by_all(connections, options->connections) - before;
  printf("{\"records\":%llu,\"seconds\":%.4f,\"cpuSeconds\":%.4f}\n", (unsigned long long)records,
         now - measured_from, cpu_seconds() - cpu_before);
  return 0;
}
