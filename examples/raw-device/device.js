/**
 * A device that publishes raw messages and survives cuts: what was not acknowledged it sends again, and the broker stores
 * each message once, since the device has a name and numbers its messages.
 *
 *   const device = new Device({ url: 'ws://127.0.0.1:8080', topic: 'readings', name: 'sensor-7' });
 *   device.send('21.5');
 *   await device.flushed();
 */

import WebSocket from 'ws';

const retryMs = 200;

export class Device {
  #url;
  /**
   * Messages that were not acknowledged, oldest first; the first has the number `#first`.
   * @type {(string | Uint8Array)[]}
   */
  #waiting = [];
  #first = 1;
  /** @type {WebSocket | null} */
  #socket = null;
  #stopped = false;
  /** @type {((value?: unknown) => void)[]} */
  #flushed = [];

  /** @param {{ url: string, topic: string, name: string }} options */
  constructor({ url, topic, name }) {
    this.#url = `${url}/topics/${encodeURIComponent(topic)}/produce?producer=${encodeURIComponent(name)}`;
    this.#connect();
  }

  /**
   * Sends a text or bytes, now or once there is a connection.
   * @param {string | Uint8Array} message
   */
  send(message) {
    this.#waiting.push(message);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  /** Resolves once everything that was sent is on the broker's disk. */
  async flushed() {
    if (this.#waiting.length > 0) await new Promise((resolve) => this.#flushed.push(resolve));
  }

  stop() {
    this.#stopped = true;
    this.#socket?.close();
  }

  #connect() {
    if (this.#stopped) return;
    // The first message on this connection has this number.
    const socket = new WebSocket(`${this.#url}&first=${this.#first}`);
    this.#socket = socket;
    socket.on('open', () => {
      for (const message of this.#waiting) socket.send(message);
    });
    socket.on('message', (data) => this.#told(data.toString()));
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(() => this.#connect(), retryMs));
  }

  /** @param {string} text */
  #told(text) {
    // {"last":N} and errors are JSON; a device that can do something about an error would do so here.
    if (text.startsWith('{')) return;
    const acknowledged = Number(text) - this.#first + 1;
    this.#waiting.splice(0, acknowledged);
    this.#first += acknowledged;
    if (this.#waiting.length === 0) for (const resolve of this.#flushed.splice(0)) resolve();
  }
}
