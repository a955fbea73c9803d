/** Appends to one log that become durable when a test says so, while those to all others do at once. */

import { present } from '../../src/base/assert.ts';
import type { MemoryLogStore } from './memory-log-store.ts';
import { settle } from './transactions/test-producer.ts';

export interface HeldAppends {
  /** Each makes one append durable; the oldest comes first. */
  readonly waiting: (() => void)[];
  /** All are durable one after another, those that come meanwhile as well; nothing is held any more. */
  finishAll(): Promise<void>;
}

export function holdAppends(store: MemoryLogStore, topic: string): HeldAppends {
  const waiting: (() => void)[] = [];
  const held: (() => void)[] = [];
  held.push = (...finishes) => {
    const isHeld = present(store.appended.at(-1), 'it is about the last append').topic === topic;
    for (const finish of finishes) {
      if (isHeld) waiting.push(finish);
      else finish();
    }
    return 0;
  };
  store.held = held;
  const finishAll = async (): Promise<void> => {
    for (let finish = waiting.shift(); finish !== undefined; finish = waiting.shift()) {
      finish();
      await settle();
    }
    store.held = null;
  };
  return { waiting, finishAll };
}
