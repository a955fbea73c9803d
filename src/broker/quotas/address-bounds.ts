/**
 * How many connections a client's address may have: `max.connections.per.ip`, or what
 * `max.connections.per.ip.overrides` says of it (address-counts.ts). I/O thread. What is not such a text is refused before
 * it is set; of an older release's that was not, nobody is bounded.
 */

import { parseAddressCounts } from '../address-counts.ts';
import type { BrokerConfig } from '../broker-config.ts';

const setting = 'max.connections.per.ip';
const overridesSetting = 'max.connections.per.ip.overrides';
/** What that is where it limits nothing. */
const unlimited = 2 ** 31 - 1;

export class AddressBounds {
  readonly #config: BrokerConfig;
  #known = '';
  #counts: ReadonlyMap<string, number> = new Map();

  constructor(config: BrokerConfig) {
    this.#config = config;
  }

  /** Of the address, as sockets name it. */
  largestCount(address: string): number {
    return this.#overrides().get(address) ?? this.#config.number(setting);
  }

  /** Whether any address is bounded. */
  get limitsAny(): boolean {
    return this.#config.number(setting) < unlimited || this.#overrides().size > 0;
  }

  #overrides(): ReadonlyMap<string, number> {
    const text = this.#config.text(overridesSetting) ?? '';
    if (text !== this.#known) {
      this.#known = text;
      const counts = parseAddressCounts(text);
      this.#counts = typeof counts === 'string' ? new Map() : counts;
    }
    return this.#counts;
  }
}
