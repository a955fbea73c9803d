/**
 * As much of WebSocket (RFC 6455) as a client of a server that it trusts needs. Load thread.
 *
 *   byte 0: FIN, opcode │ byte 1: masked, length or 126 or 127 │ length in 2 or 8 bytes │ mask in 4, from clients │ payload
 *
 * It sends whole binary messages with a mask of 0, and takes the payloads out of what comes. It answers no pings; a
 * server that sends some does so to who is idle.
 */

const binaryMessage = 0x82;
const masked = 0x80;
const closeOpcode = 8;
const firstControlOpcode = 8;

/** Stands before a message of `sizeBytes`, from a client. */
export function webSocketHeader(sizeBytes: number): Buffer {
  const header = Buffer.alloc(14);
  header[0] = binaryMessage;
  header[1] = masked | 127;
  header.writeBigUInt64BE(BigInt(sizeBytes), 2);
  return header;
}

/** The request that turns a connection into a WebSocket for Kafka's protocol. */
export function upgradeRequest(host: string, port: number): string {
  return [
    'GET /kafka HTTP/1.1',
    `Host: ${host}:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: kafka',
    '\r\n',
  ].join('\r\n');
}

/** Removes the headers from a stream of frames, in place. */
export class FrameStripper {
  readonly #header = Buffer.alloc(10);
  #headerBytes = 0;
  /** What is still to come of the payload under way. */
  #payloadBytes = 0;
  #isControl = false;

  /** Moves the payloads among `bytes` from `start` to `end` together; returns where they now end. */
  strip(bytes: Buffer, start: number, end: number): number {
    let target = start;
    let at = start;
    while (at < end) {
      if (this.#payloadBytes === 0) {
        this.#header[this.#headerBytes++] = bytes[at++]!;
        this.#readHeader();
        continue;
      }
      const taken = Math.min(this.#payloadBytes, end - at);
      if (!this.#isControl) {
        if (target !== at) bytes.copyWithin(target, at, at + taken);
        target += taken;
      }
      at += taken;
      this.#payloadBytes -= taken;
    }
    return target;
  }

  #readHeader(): void {
    if (this.#headerBytes < 2) return;
    const header = this.#header;
    const opcode = header[0]! & 0x0f;
    const short = header[1]! & 0x7f;
    const wholeBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (this.#headerBytes < wholeBytes) return;
    if (opcode === closeOpcode) throw new Error('The broker closed the WebSocket.');
    this.#isControl = opcode >= firstControlOpcode;
    this.#headerBytes = 0;
    if (short < 126) this.#payloadBytes = short;
    else this.#payloadBytes = short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
  }
}
