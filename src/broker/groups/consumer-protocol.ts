/**
 * What the broker reads of the consumers' own protocol, which is otherwise between the members: the topics that a member
 * subscribes to. Any thread.
 *
 *   subscription   version int16 · topics array of string · more, in newer versions          (KIP-429 and before)
 */

import { MalformedFrame, Reader } from '../../protocol/reader.ts';

/** The protocol type of groups of consumers; connect workers and others have their own. */
export const consumerProtocolType = 'consumer';

const minStringBytes = 2;

/** The topics of a subscription, or null where the bytes are not one. */
export function subscribedTopicsOf(subscription: Uint8Array): string[] | null {
  try {
    const reader = new Reader(subscription);
    reader.int16();
    const topics: string[] = [];
    for (let left = reader.count(minStringBytes); left > 0; left--) topics.push(reader.string());
    return topics;
  } catch (error) {
    if (error instanceof MalformedFrame) return null;
    throw error;
  }
}
