/* The command line, the clock, and WebSockets that are only held. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what) {
  fprintf(stderr, "load: %s.\n", what);
  exit(1);
}

double now_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* Opens the connections, says so, and holds them until standard input ends. */
int run_hold(const struct options *options) {
  struct connection *connections = calloc((size_t)options->connections, sizeof *connections);
  for (int i = 0; i < options->connections; i++) {
    open_web_socket(&connections[i], options, options->path, options->protocol);
    if (options->hello != NULL) send_text(&connections[i], options->hello);
  }
  printf("{\"connections\":%d}\n", options->connections);
  fflush(stdout);
  char ignored[64];
  while (read(0, ignored, sizeof ignored) > 0) {
  }
  return 0;
}

static const char *value_of(int count, char **arguments, const char *name, const char *otherwise) {
  for (int i = 2; i + 1 < count; i += 2)
    if (strcmp(arguments[i], name) == 0) return arguments[i + 1];
  return otherwise;
}

int main(int count, char **arguments) {
  if (count < 2 || count % 2 != 0) fail("it is called with a way to load and with options that have values");
  raise_file_limit();
  struct options options = {
      .host = value_of(count, arguments, "--host", "127.0.0.1"),
      .port = atoi(value_of(count, arguments, "--port", "0")),
      .path = value_of(count, arguments, "--path", "/"),
      .protocol = value_of(count, arguments, "--protocol", NULL),
      .reader_path = value_of(count, arguments, "--reader-path", "/"),
      .reader_protocol = value_of(count, arguments, "--reader-protocol", NULL),
      .reader_hello = value_of(count, arguments, "--reader-hello", NULL),
      .hello = value_of(count, arguments, "--hello", NULL),
      .connections = atoi(value_of(count, arguments, "--connections", "1")),
      .size_bytes = (size_t)atol(value_of(count, arguments, "--size-bytes", "100")),
      .prefix = value_of(count, arguments, "--prefix", ""),
      .suffix = value_of(count, arguments, "--suffix", ""),
      .text = strcmp(value_of(count, arguments, "--text", "no"), "yes") == 0,
      .window = (uint64_t)atol(value_of(count, arguments, "--window", "1000")),
      .ack_mark = value_of(count, arguments, "--ack-mark", ""),
      .record_mark = value_of(count, arguments, "--record-mark", NULL),
      .warm_seconds = atof(value_of(count, arguments, "--warm-seconds", "1")),
      .seconds = atof(value_of(count, arguments, "--seconds", "3")),
  };
  if (options.connections < 1) fail("there is at least one connection");
  if (strcmp(arguments[1], "publish") == 0) return run_publish(&options);
  if (strcmp(arguments[1], "fan-out") == 0) return run_fan_out(&options);
  if (strcmp(arguments[1], "hold") == 0) return run_hold(&options);
  if (strcmp(arguments[1], "http-post") == 0) return run_http(&options, false);
  if (strcmp(arguments[1], "http-lines") == 0) return run_http(&options, true);
  fail("there is no such way to load");
  return 1;
}
