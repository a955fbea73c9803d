/**
 * The way to a broker: a byte stream through a WebSocket, subprotocol `kafka`, binary messages whose borders mean
 * nothing. Any thread. Browsers, Deno, Bun and Node from 22 on have `WebSocket`; on Node 20 the constructor is given, or
 * the `ws` package is loaded where it is installed. It does not know frames.
 */

import { ErrorCode } from '../base/error-code.ts';
import { KafkaError } from './kafka-error.ts';

/** What is needed of a WebSocket; the one of browsers and that of `ws` are such. */
export interface WebSocketLike {
  binaryType: string;
  addEventListener(type: any, listener: (event: any) => void): void;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** Hears what happens on a transport. After `closed` nothing comes any more. */
export interface TransportListener {
  opened(): void;
  received(bytes: Uint8Array): void;
  /** `why` is a sentence. */
  closed(why: string): void;
}

/** An open or opening byte stream to a broker. */
export interface Transport {
  /** Sends bytes after those sent before. They must stay as they are. */
  send(bytes: Uint8Array): void;
  /** Ends it; `closed` is not called then. */
  close(): void;
}

/** Brokers and proxies bound one message; a longer request goes in several. */
const longestMessageBytes = 1024 * 1024;

/** Begins to open a WebSocket to `url`, such as `ws://127.0.0.1:8080/kafka`. */
export function openWebSocket(constructor: WebSocketConstructor, url: string, listener: TransportListener): Transport {
  const socket = new constructor(url, 'kafka');
  socket.binaryType = 'arraybuffer';
  let ended = false;
  const end = (why: string): void => {
    if (ended) return;
    ended = true;
    listener.closed(why);
  };
  socket.addEventListener('open', () => {
    if (!ended) listener.opened();
  });
  socket.addEventListener('message', (event: { readonly data: unknown }) => {
    if (ended) return;
    if (event.data instanceof ArrayBuffer) listener.received(new Uint8Array(event.data));
    else {
      socket.close(1003);
      end('it sent a text message, which no Kafka broker does');
    }
  });
  // Browsers say nothing of the cause; `close` follows.
  socket.addEventListener('error', (event: { readonly message?: string }) => {
    if (typeof event.message === 'string' && event.message !== '') end(event.message);
  });
  socket.addEventListener('close', (event: { readonly code?: number; readonly reason?: string }) =>
    end(`the connection was closed (${event.code ?? 'no code'}${event.reason ? `, ${event.reason}` : ''})`),
  );
  return {
    send: (bytes) => {
      if (ended) return;
      // Views of plain buffers; the DOM types want that said.
      const whole = bytes as Uint8Array<ArrayBuffer>;
      for (let at = 0; at < whole.length; at += longestMessageBytes) {
        socket.send(whole.length <= longestMessageBytes ? whole : whole.subarray(at, at + longestMessageBytes));
      }
    },
    close: () => {
      ended = true;
      socket.close();
    },
  };
}

/**
 * The platform's WebSocket, or that of the `ws` package. Rejects with a `KafkaError` where there is neither.
 * A bundler is not to look for the package: it is for Node 20, where nothing is bundled.
 */
export async function platformWebSocket(): Promise<WebSocketConstructor> {
  if (typeof WebSocket === 'function') return WebSocket;
  const packageName = 'ws';
  try {
    const ws = (await import(/* @vite-ignore */ /* webpackIgnore: true */ packageName)) as {
      WebSocket: WebSocketConstructor;
    };
    return ws.WebSocket;
  } catch (error) {
    throw new KafkaError(
      ErrorCode.UNKNOWN_SERVER_ERROR,
      'this platform has no WebSocket: install the package ws beside millrace, or give a constructor as `webSocket`',
      error,
    );
  }
}
