/**
 * Counts for single addresses, as `max.connections.per.ip.overrides` has them: `192.0.2.1:100,2001:db8::1:20,localhost:5`.
 * Any thread. The last colon of a pair ends its address, and what follows a last comma may be missing, as in Kafka. Names of
 * hosts are not looked up here, and so refused, but for `localhost`.
 */

import { canonicalIP, isIP } from './ip-address.ts';

const loopback = ['127.0.0.1', '::1'];
const largestCount = 2 ** 31 - 1;

export interface AddressCounts {
  /** Of each address, which is written as sockets name it. */
  readonly counts: ReadonlyMap<string, number>;
  /** The end of a sentence that says what is wrong with the first pair that is left out; null where none is. */
  readonly problem: string | null;
}

/** Reads all pairs that are such, in time that grows with the text and not faster: clients send it. */
export function parseAddressCounts(text: string): AddressCounts {
  const counts = new Map<string, number>();
  let problem: string | null = null;
  const pairs = text.split(',').map((pair) => pair.trim());
  while (pairs.at(-1) === '') pairs.pop();
  for (const pair of pairs) {
    const colon = pair.lastIndexOf(':');
    const [address, count] = [pair.slice(0, Math.max(colon, 0)).trim(), pair.slice(colon + 1).trim()];
    const problemOfOne = problemOfPair(pair, address, count);
    problem ??= problemOfOne;
    if (problemOfOne !== null) continue;
    for (const one of address === 'localhost' ? loopback : [canonicalIP(address)]) counts.set(one, Number(count));
  }
  return { counts, problem };
}

function problemOfPair(pair: string, address: string, count: string): string | null {
  if (!pair.includes(':')) return `'${pair}' is no pair of an address and a count, such as 192.0.2.1:100`;
  if (address !== 'localhost' && !isIP(address)) {
    return `'${address}' is no IP address, and names of hosts but localhost are not looked up`;
  }
  if (!/^\d{1,10}$/.test(count) || Number(count) > largestCount) {
    return `'${count}' is no count of connections from 0 to ${largestCount}`;
  }
  return null;
}
