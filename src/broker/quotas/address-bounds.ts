/**
 * How many connections a client's address may have: `max.connections.per.ip`, or what
 * `max.connections.per.ip.overrides` says of it (`192.0.2.1:100,localhost:5`). I/O thread. Names of hosts are not looked
 * up, but for `localhost`; what is no such list bounds nobody.
 */

import type { BrokerConfig } from '../broker-config.ts';
import { canonicalIP } from '../ip-address.ts';

const setting = 'max.connections.per.ip';
const overridesSetting = 'max.connections.per.ip.overrides';
/** What that is where it limits nothing. */
const unlimited = 2 ** 31 - 1;
const loopback = ['127.0.0.1', '::1'];

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
      this.#counts = parsed(text);
    }
    return this.#counts;
  }
}

function parsed(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const one of text.split(',')) {
    const match = /^\s*(.+?)\s*:\s*(\d{1,10})\s*$/.exec(one);
    if (match === null) continue;
    const addresses = match[1] === 'localhost' ? loopback : [canonicalIP(match[1]!)];
    for (const address of addresses) counts.set(address, Number(match[2]));
  }
  return counts;
}
