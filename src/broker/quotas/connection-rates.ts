/**
 * Enforces how many connections a second may come (KIP-612): from an address (`connection_creation_rate` of an `ip`, or of
 * the default of all that have none of their own), and to the broker (`max.connection.creation.rate`). I/O thread. It does
 * not know sockets: doors ask.
 *
 * As in Kafka, rates are taken over the windows of client quotas, and nobody is held up longer than one window. A
 * connection that its address has held up is closed then and does not count; one that the broker has wait comes in.
 */

import type { Clock } from '../../base/clock.ts';
import type { BrokerConfig } from '../broker-config.ts';
import { canonicalIP } from '../ip-address.ts';
import type { QuotaImage } from './quota-image.ts';
import { WindowedRate } from './windowed-rate.ts';

const key = 'connection_creation_rate';
/** From so many addresses on, those that are idle are forgotten. */
const manyAddresses = 4096;
const secondMs = 1000;
const brokerSetting = 'max.connection.creation.rate';
/** What that is where it limits nothing. */
const unlimited = 2 ** 31 - 1;

export class ConnectionRates {
  readonly #image: QuotaImage;
  readonly #config: BrokerConfig;
  readonly #clock: Clock;
  readonly #windowCount: number;
  readonly #windowMs: number;
  readonly #rates = new Map<string, WindowedRate>();
  readonly #ofBroker: WindowedRate;
  #sweepAt = manyAddresses;
  /** By address, as long as no quota changes. */
  readonly #limits = new Map<string, number>();
  #defaultLimit = Infinity;
  #knownChanges = -1;

  constructor(image: QuotaImage, config: BrokerConfig, clock: Clock) {
    this.#image = image;
    this.#config = config;
    this.#clock = clock;
    this.#windowCount = config.number('quota.window.num');
    this.#windowMs = config.number('quota.window.size.seconds') * secondMs;
    this.#ofBroker = new WindowedRate(this.#windowCount, this.#windowMs);
  }

  /** Counts a connection that comes to the broker. How long it is to wait before it comes in, in milliseconds. */
  waitMs(): number {
    const limit = this.#config.number(brokerSetting);
    if (limit === unlimited) return 0;
    const nowMs = this.#clock.monotonicMs();
    this.#ofBroker.record(1, nowMs);
    return Math.min(Math.round(this.#ofBroker.aboveMs(limit, nowMs)), this.#windowMs);
  }

  /**
   * Counts a connection that comes from `address`. How long it is to be held up before it is closed, in milliseconds; 0
   * where it may come in.
   */
  throttleMs(address: string): number {
    const limit = this.#limitOf(address);
    if (limit === Infinity) return 0;
    const nowMs = this.#clock.monotonicMs();
    const rate = this.#rateOf(address, nowMs);
    rate.record(1, nowMs);
    const aboveMs = Math.round(rate.aboveMs(limit, nowMs));
    if (aboveMs > 0) rate.record(-1, nowMs);
    return Math.min(aboveMs, this.#windowMs);
  }

  #limitOf(address: string): number {
    if (this.#image.isEmpty) return Infinity;
    if (this.#knownChanges !== this.#image.changes) this.#read();
    return this.#limits.get(address) ?? this.#defaultLimit;
  }

  #read(): void {
    this.#knownChanges = this.#image.changes;
    this.#limits.clear();
    this.#defaultLimit = Infinity;
    for (const { entity, limits } of this.#image.entries()) {
      const limit = limits.get(key);
      const address = entity.get('ip');
      if (limit === undefined || address === undefined) continue;
      if (address === null) this.#defaultLimit = limit;
      else this.#limits.set(canonicalIP(address), limit);
    }
  }

  #rateOf(address: string, nowMs: number): WindowedRate {
    let rate = this.#rates.get(address);
    if (rate === undefined) {
      if (this.#rates.size >= this.#sweepAt) this.#sweep(nowMs);
      this.#rates.set(address, (rate = new WindowedRate(this.#windowCount, this.#windowMs)));
    }
    return rate;
  }

  #sweep(nowMs: number): void {
    for (const [address, rate] of this.#rates) if (rate.isIdle(nowMs)) this.#rates.delete(address);
    this.#sweepAt = Math.max(manyAddresses, 2 * this.#rates.size);
  }
}
