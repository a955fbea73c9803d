/* As much of WebSocket (RFC 6455) as a client of a server that it trusts needs. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { first_in_bytes = 4096, read_in_bytes = 256 * 1024, largest_in_bytes = 64 * 1024 * 1024 };

static void connect_to(struct connection *connection, const struct options *options) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
  if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1) fail("the host is not an IPv4 address");
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->fd < 0) fail("no more sockets can be opened");
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("the server cannot be reached");
  int one = 1;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void open_web_socket(struct connection *connection, const struct options *options, const char *path,
                     const char *protocol) {
  memset(connection, 0, sizeof *connection);
  connection->last_offset = -1;
  connect_to(connection, options);
  char request[4096];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                        path, options->host, options->port, protocol ? "Sec-WebSocket-Protocol: " : "",
                        protocol ? protocol : "", protocol ? "\r\n" : "");
  if (write(connection->fd, request, (size_t)length) != length) fail("the upgrade request cannot be sent");
  connection->in_size = first_in_bytes;
  connection->in = malloc(connection->in_size);
  size_t have = 0;
  for (;;) {
    ssize_t got = read(connection->fd, connection->in + have, connection->in_size - 1 - have);
    if (got <= 0) fail("the server ended the connection instead of upgrading it");
    have += (size_t)got;
    connection->in[have] = 0;
    char *end = strstr((char *)connection->in, "\r\n\r\n");
    if (end == NULL) continue;
    if (strncmp((char *)connection->in, "HTTP/1.1 101", 12) != 0) {
      fprintf(stderr, "%s\n", (char *)connection->in);
      fail("the server does not upgrade the connection");
    }
    size_t head = (size_t)(end + 4 - (char *)connection->in);
    connection->in_length = have - head;
    memmove(connection->in, connection->in + head, connection->in_length);
    break;
  }
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
}

size_t build_frame(uint8_t *out, const char *prefix, size_t size_bytes, const char *suffix, bool text) {
  static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  size_t prefix_bytes = strlen(prefix);
  size_t suffix_bytes = strlen(suffix);
  size_t length = prefix_bytes + size_bytes + suffix_bytes;
  size_t at = 0;
  out[at++] = (uint8_t)(0x80 | (text ? 1 : 2));
  if (length < 126) {
    out[at++] = (uint8_t)(0x80 | length);
  } else if (length < 65536) {
    out[at++] = 0x80 | 126;
    out[at++] = (uint8_t)(length >> 8);
    out[at++] = (uint8_t)length;
  } else {
    out[at++] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) out[at++] = (uint8_t)((uint64_t)length >> shift);
  }
  memcpy(out + at, mask, 4);
  at += 4;
  uint8_t *payload = out + at;
  memcpy(payload, prefix, prefix_bytes);
  for (size_t i = 0; i < size_bytes; i++) payload[prefix_bytes + i] = (uint8_t)('a' + (i * 7 + i / 26) % 26);
  memcpy(payload + prefix_bytes + size_bytes, suffix, suffix_bytes);
  for (size_t i = 0; i < length; i++) payload[i] ^= mask[i & 3];
  return at + length;
}

void send_text(struct connection *connection, const char *text) {
  uint8_t *frame = malloc(strlen(text) + 32);
  size_t size = build_frame(frame, text, 0, "", true);
  if (write(connection->fd, frame, size) != (ssize_t)size) fail("the server does not take a first message");
  free(frame);
}

/* What is read comes here, behind what the connection has kept: one place for all, so that it stays in the cache. */
static uint8_t *room;
static size_t room_bytes;

static void reserve(size_t size_bytes) {
  if (size_bytes > largest_in_bytes) fail("the server sent a frame that is too large");
  if (size_bytes <= room_bytes) return;
  while (room_bytes < size_bytes) room_bytes = room_bytes == 0 ? read_in_bytes : room_bytes * 2;
  room = realloc(room, room_bytes);
}

/* Keeps `length` bytes for the next time. */
static void keep(struct connection *connection, const uint8_t *bytes, size_t length) {
  if (length > connection->in_size) {
    connection->in_size = length * 2;
    connection->in = realloc(connection->in, connection->in_size);
  }
  memcpy(connection->in, bytes, length);
  connection->in_length = length;
}

/* The size of the header of the frame at `in`, and the length of its payload; 0 where it is not whole. */
static size_t read_head(const uint8_t *in, size_t left, uint64_t *length) {
  if (left < 2) return 0;
  uint8_t short_length = in[1] & 0x7f;
  size_t head = short_length == 127 ? 10 : short_length == 126 ? 4 : 2;
  if (left < head) return 0;
  *length = short_length;
  if (head > 2) *length = 0;
  for (size_t i = 2; i < head; i++) *length = *length << 8 | in[i];
  return head;
}

bool receive_frames(struct connection *connection, frame_taker *take, void *context) {
  reserve(connection->in_length + read_in_bytes);
  memcpy(room, connection->in, connection->in_length);
  ssize_t got = read(connection->fd, room + connection->in_length, room_bytes - connection->in_length);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) fail("the server ended a connection");
  size_t end = connection->in_length + (size_t)got;
  size_t at = 0;
  uint64_t length;
  size_t head;
  while ((head = read_head(room + at, end - at, &length)) > 0) {
    if (length > largest_in_bytes) fail("the server sent a frame that is too large");
    if (end - at < head + length) break;
    uint8_t opcode = room[at] & 0x0f;
    const uint8_t *payload = room + at + head;
    if (opcode == 8) {
      fprintf(stderr, "%.*s\n", (int)(length > 2 ? length - 2 : 0), (const char *)payload + 2);
      fail("the server closed a WebSocket");
    }
    if (opcode < 8) take(connection, payload, (size_t)length, context);
    at += head + (size_t)length;
  }
  keep(connection, room + at, end - at);
  return true;
}
