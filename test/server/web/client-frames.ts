/** Frames as clients send them, right or wrong. */

export interface FrameOptions {
  readonly mask?: number;
  readonly isFinal?: boolean;
}

/** One frame with `payload`, masked. */
export function frameOf(
  opcode: number,
  payload: Uint8Array,
  { mask = 0x12345678, isFinal = true }: FrameOptions = {},
): Buffer {
  const size = payload.length;
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  if (size < 126) head[1] = 0x80 | size;
  else if (size < 65_536) {
    head[1] = 0xfe;
    head.writeUInt16BE(size, 2);
  } else {
    head[1] = 0xff;
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  const key = Buffer.alloc(4);
  key.writeUInt32BE(mask);
  return Buffer.concat([head, key, Buffer.from(payload).map((byte, i) => byte ^ key[i % 4]!)]);
}

/** A request to become a WebSocket. */
export function handshake(path: string): string {
  const headers = ['Host: 127.0.0.1', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  return `GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
}

/** Frames of a server in what it sent behind its answer to the handshake. */
export function framesIn(received: string): { readonly opcode: number; readonly payload: string }[] {
  const bytes = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
  const frames: { opcode: number; payload: string }[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = bytes[at + 1]!;
    const size =
      short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short;
    const start = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
    if (start + size > bytes.length) break;
    frames.push({ opcode: bytes[at]! & 0x0f, payload: bytes.toString('latin1', start, start + size) });
    at = start + size;
  }
  return frames;
}
