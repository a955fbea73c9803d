/**
 * Counts what goes through one door: requests by key, bytes in and out. I/O thread. It stands between the door's
 * pipelines and the service behind; a count is an addition to a number that is there already.
 * It does not know how the counts are shown (program/metrics.ts).
 */

import type { Connection } from './connection.ts';
import type { RequestService, ServedResponse } from './request-pipeline.ts';

/** Kafka's keys end well below; whatever is above or unreadable is counted at the last place. */
const keyPlaces = 256;
const sizePrefixBytes = 4;

export class MeteredService implements RequestService {
  readonly #service: RequestService;
  readonly #requests = new Float64Array(keyPlaces);
  #receivedBytes = 0;
  #sentBytes = 0;

  constructor(service: RequestService) {
    this.#service = service;
  }

  /** Bytes of whole requests that were served, with their size prefixes. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes of responses that left or were given up with their connection. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Each API key that came and how often; -1 stands for frames without a key of Kafka's. */
  *requestsByKey(): Generator<readonly [apiKey: number, count: number]> {
    for (let key = 0; key < keyPlaces; key++) {
      const count = this.#requests[key]!;
      if (count > 0) yield [key === keyPlaces - 1 ? -1 : key, count];
    }
  }

  serve(frame: Uint8Array, connection: Connection): ServedResponse {
    const key = frame.length >= 2 && frame[0] === 0 ? frame[1]! : keyPlaces - 1;
    this.#requests[key]!++;
    this.#receivedBytes += frame.length + sizePrefixBytes;
    return this.#service.serve(frame, connection);
  }

  admit(frame: Uint8Array, proceed: () => void): boolean {
    return this.#service.admit === undefined || this.#service.admit(frame, proceed);
  }

  comesFirst(frame: Uint8Array): boolean {
    return this.#service.comesFirst?.(frame) ?? false;
  }

  released(response: readonly Uint8Array[], connection: Connection): void {
    for (const part of response) this.#sentBytes += part.length;
    this.#service.released?.(response, connection);
  }
}
