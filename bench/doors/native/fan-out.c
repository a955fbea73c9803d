/*
 * One publisher and many readers of what it publishes. The publisher keeps at most `window` messages ahead of the reader
 * that has got the fewest, so that no server has a reason to drop any. Where frames have marks, each reader checks that
 * offsets go up by one.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { events_at_once = 1024, block_bytes = 128 * 1024 };

struct fan_out {
  const struct options *options;
  struct connection *readers;
  uint64_t delivered;
};

static void take_records(struct connection *reader, const uint8_t *payload, size_t length, void *context) {
  struct fan_out *fan_out = context;
  const char *mark = fan_out->options->record_mark;
  if (mark == NULL) {
    reader->delivered++;
    fan_out->delivered++;
    return;
  }
  size_t mark_bytes = strlen(mark);
  const uint8_t *end = payload + length;
  for (const uint8_t *at = payload; (at = memmem(at, (size_t)(end - at), mark, mark_bytes)) != NULL;) {
    at += mark_bytes;
    int64_t offset = 0;
    while (at < end && *at >= '0' && *at <= '9') offset = offset * 10 + (*at++ - '0');
    if (reader->last_offset >= 0 && offset != reader->last_offset + 1) fail("a reader misses records");
    reader->last_offset = offset;
    reader->delivered++;
    fan_out->delivered++;
    /* No mark stands within the record itself. */
    size_t skipped = fan_out->options->size_bytes;
    at = (size_t)(end - at) > skipped ? at + skipped : end;
  }
}

static void ignore(struct connection *connection, const uint8_t *payload, size_t length, void *context) {
  (void)connection;
  (void)context;
  if (memmem(payload, length, "\"error\"", 7) == NULL) return;
  fprintf(stderr, "%.*s\n", (int)length, (const char *)payload);
  fail("the server answers the publisher with an error");
}

static uint64_t fewest(const struct fan_out *fan_out) {
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < fan_out->options->connections; i++)
    if (fan_out->readers[i].delivered < least) least = fan_out->readers[i].delivered;
  return least;
}

int run_fan_out(const struct options *options) {
  struct fan_out fan_out = {.options = options};
  fan_out.readers = calloc((size_t)options->connections, sizeof *fan_out.readers);
  int epoll = epoll_create1(0);
  for (int i = 0; i < options->connections; i++) {
    struct connection *reader = &fan_out.readers[i];
    open_web_socket(reader, options, options->reader_path, options->reader_protocol);
    if (options->reader_hello != NULL) send_text(reader, options->reader_hello);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
    epoll_ctl(epoll, EPOLL_CTL_ADD, reader->fd, &event);
  }
  /* Readers that begin at the end have to be there first. */
  usleep(500 * 1000);
  struct connection publisher;
  open_web_socket(&publisher, options, options->path, options->protocol);
  if (options->hello != NULL) send_text(&publisher, options->hello);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &publisher};
  epoll_ctl(epoll, EPOLL_CTL_ADD, publisher.fd, &event);
  size_t largest_frame = options->size_bytes + strlen(options->prefix) + strlen(options->suffix) + 16;
  uint8_t *block = malloc(block_bytes + largest_frame);
  size_t block_length = 0;
  size_t frame_bytes = 0;
  do {
    frame_bytes =
        build_frame(block + block_length, options->prefix, options->size_bytes, options->suffix, options->text);
    block_length += frame_bytes;
  } while (block_length < block_bytes);

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
      before = fan_out.delivered;
      cpu_before = cpu_seconds();
    }
    uint64_t limit = (fewest(&fan_out) + options->window) * frame_bytes;
    while (publisher.sent_bytes < limit) {
      size_t position = publisher.sent_bytes % block_length;
      uint64_t size = block_length - position;
      if (size > limit - publisher.sent_bytes) size = limit - publisher.sent_bytes;
      ssize_t sent = write(publisher.fd, block + position, size);
      if (sent < 0 && errno == EAGAIN) break;
      if (sent < 0) fail("the server ended the publisher's connection");
      publisher.sent_bytes += (uint64_t)sent;
    }
    struct epoll_event events[events_at_once];
    int count = epoll_wait(epoll, events, events_at_once, 2);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      receive_frames(connection, connection == &publisher ? ignore : take_records, &fan_out);
    }
  }
  printf("{\"records\":%llu,\"seconds\":%.4f,\"cpuSeconds\":%.4f,\"fewest\":%llu}\n",
         (unsigned long long)(fan_out.delivered - before), now - measured_from, cpu_seconds() - cpu_before,
         (unsigned long long)fewest(&fan_out));
  return 0;
}
