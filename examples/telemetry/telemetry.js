/**
 * Sends telemetry at full speed: one request whose body goes on, a measurement a line, acknowledged as it reaches the
 * broker's disk. It is sent as fast as the broker stores it: `send` says when to wait.
 *
 *   const telemetry = new Telemetry({ url: 'http://127.0.0.1:8080', topic: 'telemetry' });
 *   if (!telemetry.send({ sensor: 7, celsius: 21.5 })) await telemetry.writable();
 *   const { stored, failed } = await telemetry.end();
 *
 * A request that is cut rejects `end`; `acknowledged` says how many are settled: on disk, unless
 * they were refused or less than acks=all was asked for.
 */

import { request } from 'node:http';

/** Lines are sent in parts of this size, in characters. */
const partLength = 64 * 1024;

export class Telemetry {
  /** How many measurements, from the first on, the broker has settled. */
  acknowledged = 0;
  #request;
  #lines = '';
  /** @type {Promise<{ stored: number, failed: number }>} */
  #answered;

  /** @param {{ url: string, topic: string, acks?: 'all' | '1' }} options */
  constructor({ url, topic, acks = 'all' }) {
    this.#request = request(new URL(`/topics/${encodeURIComponent(topic)}?acks=${acks}`, url), {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
    });
    this.#answered = new Promise((resolve, reject) => {
      this.#request.on('error', reject);
      this.#request.on('response', (response) => {
        this.#read(response).then(resolve, reject);
      });
    });
    // Whoever calls `end` hears of it.
    this.#answered.catch(() => {});
  }

  /**
   * Sends a measurement. False asks to wait for `writable` before the next.
   * @param {object} measurement
   */
  send(measurement) {
    this.#lines += `${JSON.stringify(measurement)}\n`;
    return this.#lines.length < partLength || this.#flush();
  }

  /** Resolves once the broker takes more; rejects where the request has failed. */
  async writable() {
    const drained = new Promise((resolve) => this.#request.once('drain', () => resolve(undefined)));
    if (this.#request.writableNeedDrain) await Promise.race([drained, this.#answered]);
  }

  /** Sends what is left, and says what became of all. */
  end() {
    this.#request.end(this.#lines);
    return this.#answered;
  }

  #flush() {
    const lines = this.#lines;
    this.#lines = '';
    return this.#request.write(lines);
  }

  /** @param {import('node:http').IncomingMessage} response */
  async #read(response) {
    let rest = '';
    for await (const part of response.setEncoding('utf8')) {
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const news = JSON.parse(line);
        if (news.acknowledged !== undefined) this.acknowledged = news.acknowledged;
        if (news.done === true) return { stored: news.stored, failed: news.failed };
        if (news.done === false) throw new Error(news.detail);
      }
    }
    throw new Error(`The broker answered ${response.statusCode} and no more: ${rest}`);
  }
}
