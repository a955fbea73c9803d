/*
 * A load generator for the HTTP port: one thread, epoll, sockets of this machine. Each way to load is one file.
 *
 *   load publish|fan-out|hold|http-post|http-lines … prints one line of JSON at its end; a failure is one sentence and exit code 1
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the command line says; each way to load takes what it needs. */
struct options {
  const char *host;
  int port;
  const char *path;
  /* The Sec-WebSocket-Protocol to offer, or NULL. */
  const char *protocol;
  /* Fan-out: where readers connect, and what they offer and send first; NULL: nothing. */
  const char *reader_path;
  const char *reader_protocol;
  const char *reader_hello;
  /* What a publisher sends first; NULL: nothing. */
  const char *hello;
  int connections;
  /* The bytes of a record; a message is prefix, so many bytes, suffix. */
  size_t size_bytes;
  const char *prefix;
  const char *suffix;
  bool text;
  /* Messages that are under way on one connection at most. */
  uint64_t window;
  /* What stands before the number in an acknowledgement, or "" where it is all of it. */
  const char *ack_mark;
  /* What stands before the offset of each record in a reader's frame, or NULL where each frame is a record. */
  const char *record_mark;
  double warm_seconds;
  double seconds;
};

/* A connection and what came through it but is not a whole frame yet. */
struct connection {
  int fd;
  uint8_t *in;
  size_t in_size;
  size_t in_length;
  uint64_t sent_bytes;
  uint64_t acknowledged;
  uint64_t delivered;
  int64_t last_offset;
  bool wants_out;
};

/* Called with the payload of each whole frame of data. */
typedef void frame_taker(struct connection *connection, const uint8_t *payload, size_t length, void *context);

void fail(const char *what);
double now_seconds(void);
/* User and system time of this process so far. */
double cpu_seconds(void);
/* Lets this process open as many files as the system allows. */
void raise_file_limit(void);

/* Connects and upgrades; then the socket does not block. */
void open_web_socket(struct connection *connection, const struct options *options, const char *path,
                     const char *protocol);
/* A client's masked frame around prefix, size_bytes printable bytes and suffix; returns its size. */
size_t build_frame(uint8_t *out, const char *prefix, size_t size_bytes, const char *suffix, bool text);
/* Sends one short text message, while the socket takes it at once. */
void send_text(struct connection *connection, const char *text);
/* Reads once and hands on what is whole; false where nothing was there. */
bool receive_frames(struct connection *connection, frame_taker *take, void *context);

int run_publish(const struct options *options);
int run_fan_out(const struct options *options);
int run_hold(const struct options *options);
int run_http(const struct options *options, bool is_lines);

#endif
