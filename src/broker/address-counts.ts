/**
 * Counts for single addresses, as `max.connections.per.ip.overrides` has them: `192.0.2.1:100,2001:db8::1:20,localhost:5`.
 * Any thread. The last colon of a pair ends its address, and what follows a last comma may be missing, as in Kafka. Names of
 * hosts are not looked up here, and so refused, but for `localhost`.
 */

import { canonicalIP, isIP } from './ip-address.ts';

const loopback = ['127.0.0.1', '::1'];
const largestCount = 2 ** 31 - 1;

/** The count of each address, which is written as sockets name it; or the sentence that says what the text is not. */
export function parseAddressCounts(text: string): ReadonlyMap<string, number> | string {
  const counts = new Map<string, number>();
  const pairs = text.replace(/[,\s]+$/, '');
  if (pairs === '') return counts;
  for (const pair of pairs.split(',')) {
    const colon = pair.lastIndexOf(':');
    const [address, count] = [pair.slice(0, Math.max(colon, 0)).trim(), pair.slice(colon + 1).trim()];
    if (colon < 0) return `'${pair.trim()}' is no pair of an address and a count, such as 192.0.2.1:100`;
    if (address !== 'localhost' && !isIP(address)) {
      return `'${address}' is no IP address, and names of hosts but localhost are not looked up`;
    }
    if (!/^\d{1,10}$/.test(count) || Number(count) > largestCount) {
      return `'${count}' is no count of connections from 0 to ${largestCount}`;
    }
    for (const one of address === 'localhost' ? loopback : [canonicalIP(address)]) counts.set(one, Number(count));
  }
  return counts;
}
