/**
 * Whether a request asks to become a WebSocket, and the answer to its key (RFC 6455, section 4.2). I/O thread.
 */

import { createRequire } from 'node:module';
import type { RequestHead } from './request-head.ts';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const keyText = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Whether `head` asks for it; what is wrong with how it does says `problemOfHandshake`. */
export function asksForWebSocket(head: RequestHead): boolean {
  return head.method === 'GET' && head.getHeader('upgrade').toLowerCase() === 'websocket';
}

/** Why there is no WebSocket, in a sentence, or null. */
export function problemOfHandshake(head: RequestHead): string | null {
  if (head.minorVersion === 0 || !/(?:^|,)\s*upgrade\s*(?:,|$)/i.test(head.getHeader('connection')))
    return 'A handshake has a header Connection that names Upgrade.';
  if (head.contentLength !== 0) return 'A handshake has no body.';
  if (head.getHeader('sec-websocket-version') !== '13') return 'The version of WebSocket spoken here is 13.';
  if (!keyText.test(head.getHeader('sec-websocket-key')))
    return 'A handshake has a header Sec-WebSocket-Key of 16 bytes.';
  return null;
}

/** The value of Sec-WebSocket-Accept. */
export function acceptOf(key: string): string {
  return nodeCrypto().createHash('sha1').update(`${key}${guid}`).digest('base64');
}

/** With the first WebSocket: it takes a while of a start to load. */
function nodeCrypto(): typeof import('node:crypto') {
  return createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto');
}
