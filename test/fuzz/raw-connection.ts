/**
 * A connection to a door over which any bytes go out, and on which frames come in. Nothing is retried and nothing
 * assumed: what an attacker has, over TCP or in WebSocket messages.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';

export type DoorKind = 'tcp' | 'websocket';

export interface DoorPorts {
  readonly kafkaPort: number;
  readonly httpPort: number;
}

const prefixBytes = 4;

/** The bytes' way out and in. */
interface Wire {
  write(bytes: Uint8Array): void;
  end(): void;
  destroy(): void;
}

export class RawConnection {
  readonly #wire: Wire;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  /** How many bytes there must be before it is worth looking for a frame. */
  #neededBytes = prefixBytes;
  readonly #frames: Buffer[] = [];
  #closed = false;
  #changed: () => void = () => {};

  private constructor(connectWire: (connection: RawConnection) => Wire) {
    this.#wire = connectWire(this);
  }

  static async open(kind: DoorKind, ports: DoorPorts): Promise<RawConnection> {
    return kind === 'tcp' ? RawConnection.#openTcp(ports.kafkaPort) : RawConnection.#openWebSocket(ports.httpPort);
  }

  static async #openTcp(port: number): Promise<RawConnection> {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const connection = new RawConnection((self) => {
      socket.on('data', (chunk: Buffer) => self.#take(chunk));
      // A broker that closes on what it was sent resets.
      socket.on('error', () => {});
      socket.on('close', () => self.#end());
      return {
        write: (bytes) => void (socket.writable && socket.write(bytes)),
        end: () => void socket.end(),
        destroy: () => void socket.destroy(),
      };
    });
    await once(socket, 'connect');
    return connection;
  }

  static async #openWebSocket(port: number): Promise<RawConnection> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/kafka`, 'kafka', { perMessageDeflate: false });
    const connection = new RawConnection((self) => {
      socket.on('message', (data: Buffer) => self.#take(data));
      socket.on('error', () => {});
      socket.on('close', () => self.#end());
      return {
        write: (bytes) => void (socket.readyState === WebSocket.OPEN && socket.send(bytes)),
        end: () => void socket.close(),
        destroy: () => void socket.terminate(),
      };
    });
    await once(socket, 'open');
    return connection;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  write(bytes: Uint8Array): void {
    this.#wire.write(bytes);
  }

  /** Says goodbye; the broker may still answer. */
  end(): void {
    this.#wire.end();
  }

  destroy(): void {
    this.#wire.destroy();
  }

  /** The next frame that comes, without its size prefix; null once the broker has ended the connection. */
  async frame(): Promise<Buffer | null> {
    while (this.#frames.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
    return this.#frames.shift() ?? null;
  }

  /** Resolves once the connection has ended. */
  async closed(): Promise<void> {
    while (!this.#closed) await new Promise<void>((resolve) => (this.#changed = resolve));
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#chunkBytes < this.#neededBytes) return;
    let rest = Buffer.concat(this.#chunks);
    this.#neededBytes = prefixBytes;
    while (rest.length >= prefixBytes) {
      const end = prefixBytes + rest.readInt32BE(0);
      if (rest.length < end) {
        this.#neededBytes = end;
        break;
      }
      this.#frames.push(rest.subarray(prefixBytes, end));
      rest = rest.subarray(end);
    }
    this.#chunks = [rest];
    this.#chunkBytes = rest.length;
    this.#changed();
  }

  #end(): void {
    this.#closed = true;
    this.#changed();
  }
}
