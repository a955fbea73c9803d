/** Who waits to come in, in what order, and how many of whom may. */

import { expect, it } from 'vitest';
import { networkOf } from '../../src/server/connection.ts';
import { AdmissionQueue } from '../../src/server/admission-queue.ts';
import { ManualClock } from '../broker/manual-clock.ts';

/** A queue of items such as `a1`, whose first letter is their origin; one comes in every 100 ms. */
function open(most: number, mostOfOrigin: number) {
  const clock = new ManualClock();
  const admitted: string[] = [];
  const queue = new AdmissionQueue<string>({
    clock,
    waitMs: () => 100,
    admit: (item) => admitted.push(item),
    most,
    originOf: (item) => item[0]!,
    mostOfOrigin,
  });
  return { clock, admitted, queue };
}

it('lets in one after the other, in their order', () => {
  const { clock, admitted, queue } = open(10, 10);
  for (const item of ['a1', 'b1', 'a2']) expect(queue.enter(item)).toBe(true);
  clock.advance(100);
  expect(admitted).toEqual(['a1']);
  clock.advance(200);
  expect(admitted).toEqual(['a1', 'b1', 'a2']);
  expect(queue.size).toBe(0);
});

it('keeps places free for others than the one who comes again and again', () => {
  const { clock, admitted, queue } = open(4, 2);
  const entered = ['a1', 'a2', 'a3', 'a4', 'b1', 'a5', 'c1', 'd1'].filter((item) => queue.enter(item));
  expect(entered).toEqual(['a1', 'a2', 'b1', 'c1']);
  clock.advance(100);
  // It has as many places as before once one of its own was let in.
  expect(['a6', 'a7', 'd2'].filter((item) => queue.enter(item))).toEqual(['a6']);
  clock.advance(1000);
  expect(admitted).toEqual(['a1', 'a2', 'b1', 'c1', 'a6']);
  expect(['a8', 'a9', 'a10'].filter((item) => queue.enter(item))).toEqual(['a8', 'a9']);
});

it('gives those back that wait when it closes', () => {
  const { clock, admitted, queue } = open(4, 2);
  for (const item of ['a1', 'b1']) queue.enter(item);
  expect(queue.close()).toEqual(['a1', 'b1']);
  clock.advance(1000);
  expect(admitted).toEqual([]);
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['2001:0db8:0:0:ffff::', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', ''],
])('takes %s for one of %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
