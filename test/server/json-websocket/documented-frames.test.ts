/** The frames that docs/websocket.md shows are frames as the broker takes and sends them. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { brokerFrames, clientFrames } from '../../../src/server/json-websocket/frames.ts';
import { problemOf, type Schema } from '../../../src/server/json-websocket/schema.ts';

const page = readFileSync(new URL('../../../docs/websocket.md', import.meta.url), 'utf8');
const schemas: Readonly<Record<string, Schema>> = { ...clientFrames, ...brokerFrames };

/** The text of each frame, in the page's sentences and in blocks of JSON. */
const shown = [...page.matchAll(/`(\{"type":[^`]*)`|^```json\n(.*)\n```$/gm)].map((match) => match[1] ?? match[2]!);

it('finds frames', () => {
  expect(shown.length).toBeGreaterThanOrEqual(7);
});

it.each(shown)('%s', (text) => {
  // Some leave out what does not matter there.
  const isWhole = !/,…,/.test(text);
  const frame = JSON.parse(text.replaceAll('[…]', '[]').replaceAll(',…,', ',')) as { readonly type: string };
  const schema = schemas[frame.type];
  expect(schema, frame.type).toBeDefined();
  expect(problemOf(isWhole ? schema! : { ...schema!, required: [] }, frame, 'The frame')).toBeNull();
});
