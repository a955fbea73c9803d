/**
 * How many connections a client's address may have: `max.connections.per.ip`, or what
 * `max.connections.per.ip.overrides` says of it (address-counts.ts). I/O thread. What is not such a text is refused before
 * it is set; of one that an older release took, the pairs count that are such, and a warning says so.
 */

import type { Logger } from '../../base/logger.ts';
import { parseAddressCounts } from '../address-counts.ts';
import type { BrokerConfig } from '../broker-config.ts';

const setting = 'max.connections.per.ip';
const overridesSetting = 'max.connections.per.ip.overrides';
/** What that is where it limits nothing. */
const unlimited = 2 ** 31 - 1;

export class AddressBounds {
  readonly #config: BrokerConfig;
  readonly #logger: Logger;
  #known = '';
  #counts: ReadonlyMap<string, number> = new Map();

  constructor(config: BrokerConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
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
      const { counts, problem } = parseAddressCounts(text);
      this.#counts = counts;
      if (problem !== null) {
        const message = `Of ${overridesSetting} only the pairs of an address and a count are used; set it anew.`;
        this.#logger.warn({ setting: overridesSetting, problem }, message);
      }
    }
    return this.#counts;
  }
}
