/**
 * Counts by name, of which those that come to nothing are left out. Any thread.
 */

import { assert } from '../../../base/assert.ts';

export function changeCount<Key>(counts: Map<Key, number>, key: Key, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  assert(count >= 0, 'what is taken away was counted');
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
