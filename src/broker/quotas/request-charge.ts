/**
 * The account of one request while client quotas are set: what it is charged with, and how long its client is then held
 * up. I/O thread. The throttle time goes into the answer, which leaves at once, and the connection is muted for as long
 * (KIP-219): clients that do not wait themselves wait all the same.
 */

import type { RequestContext } from '../request-context.ts';
import type { ClientQuotas } from './client-quotas.ts';

const produceKey = 0;
const fetchKey = 1;
/** What the protocol's throttle time can say. */
const longestThrottleMs = 2 ** 31 - 1;

interface ThrottledResponse {
  throttleTimeMs: number;
}

export class RequestCharge {
  readonly #quotas: ClientQuotas;
  readonly #context: RequestContext;
  readonly #requestBytes: number;
  #handlingMs = 0;
  #throttleMs = 0;
  #isSettled = false;

  constructor(quotas: ClientQuotas, context: RequestContext, requestBytes: number) {
    this.#quotas = quotas;
    this.#context = context;
    this.#requestBytes = requestBytes;
  }

  /** Counts time for which the request had the thread. */
  handled(durationMs: number): void {
    this.#handlingMs += durationMs;
  }

  /** As many bytes as a fetch may return at most: what its quota allows for within all windows. */
  get fetchBoundBytes(): number {
    const limited = this.#quotas.rate('consumer_byte_rate', this.#context);
    if (limited === null) return Infinity;
    const { windowCount, windowMs } = this.#quotas;
    return Math.max(1, Math.floor((limited.limitPerSecond * Math.max(windowCount - 1, 1) * windowMs) / 1000));
  }

  /**
   * Charges a fetch whose response would have `responseBytes`. False: it is above its quota, so it gets no records, is
   * not charged for them, and waits.
   */
  admitFetch(responseBytes: number): boolean {
    const requestMs = this.#chargeTime();
    const limited = this.#quotas.rate('consumer_byte_rate', this.#context);
    const bandwidthMs = limited === null ? 0 : this.#quotas.record(limited, responseBytes);
    this.#throttle(Math.max(requestMs, bandwidthMs));
    if (this.#throttleMs === 0) return true;
    limited?.rate.record(-responseBytes, this.#quotas.clock.monotonicMs());
    return false;
  }

  /** Takes `count` partitions out of what the client may create and delete; false where it has to wait first. */
  mutate(count: number, strict: boolean): boolean {
    const throttleMs = this.#quotas.mutate(count, strict, this.#context);
    this.#throttle(throttleMs);
    return !strict || throttleMs === 0;
  }

  /** The request is answered: charges it, says in the response how long the client has to wait, and has it wait. */
  settle(response: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    const { apiKey, connection } = this.#context;
    if (apiKey === produceKey) {
      this.#throttle(this.#quotas.use('producer_byte_rate', this.#requestBytes, this.#context));
    }
    if (apiKey !== fetchKey) this.#throttle(this.#chargeTime());
    if (this.#throttleMs === 0) return;
    if (hasThrottleTime(response)) response.throttleTimeMs = this.#throttleMs;
    const unmute = connection.mute();
    this.#quotas.clock.setTimer(this.#throttleMs, unmute);
  }

  #throttle(throttleMs: number): void {
    this.#throttleMs = Math.min(Math.max(this.#throttleMs, Math.round(throttleMs)), longestThrottleMs);
  }

  /** As a percentage of one thread's time; nobody waits longer for it than one window. */
  #chargeTime(): number {
    const usedPercent = (this.#handlingMs / 1000) * 100;
    return Math.min(this.#quotas.use('request_percentage', usedPercent, this.#context), this.#quotas.windowMs);
  }
}

function hasThrottleTime(response: unknown): response is ThrottledResponse {
  return typeof response === 'object' && response !== null && 'throttleTimeMs' in response;
}
