import { expect, it } from 'vitest';
import { Slot } from '../../src/server/request-slot.ts';

it('keeps the defects of its owner from whoever gives the response', async () => {
  const refused: unknown[] = [];
  const unheard: unknown[] = [];
  const heard = (error: unknown): void => void unheard.push(error);
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', heard);
  try {
    const slot = new Slot({
      complete: () => {
        throw new Error('a defect');
      },
      refuse: (error) => {
        refused.push(error);
        throw new Error('another');
      },
    });
    slot.settled([]);
    await new Promise(setImmediate);
  } finally {
    process.off('uncaughtException', heard);
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  expect(refused).toMatchObject([{ message: 'a defect' }]);
  expect(unheard).toMatchObject([{ message: 'another' }]);
});
