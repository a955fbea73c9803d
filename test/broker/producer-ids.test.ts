import { expect, test } from 'vitest';
import { producerIdBlockSize, ProducerIds } from '../../src/broker/producer-ids.ts';

test('claims one block for many callers, and the next when it is used up', async () => {
  let claimed = 0;
  const ids = new ProducerIds(async () => claimed++ * producerIdBlockSize);
  const given = await Promise.all(Array.from({ length: producerIdBlockSize + 1 }, () => ids.next()));
  expect(new Set(given).size).toBe(producerIdBlockSize + 1);
  expect(Math.max(...given)).toBe(producerIdBlockSize);
  expect(claimed).toBe(2);
});

test('gives no id from a block that could not be made durable, and tries again when next asked', async () => {
  let fail = true;
  const ids = new ProducerIds(async () => {
    if (fail) throw new Error('the disk is full');
    return 5000;
  });
  const waiting = [ids.next(), ids.next()];
  expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fail = false;
  expect(await ids.next()).toBe(5000);
});
