/** The AsyncAPI document against the code: what it says of frames is what the door takes and sends. */

import { describe, expect, it } from 'vitest';
import { asyncApiDocument } from '../../../src/server/json-websocket/async-api.ts';
import { brokerFrames, clientFrames } from '../../../src/server/json-websocket/frames.ts';
import { publishFields } from '../../../src/server/json-websocket/publish-scanner.ts';
import { startDoors } from '../door-harness.ts';

interface Document {
  readonly channels: Readonly<
    Record<string, { readonly address: string; readonly messages: Readonly<Record<string, unknown>> }>
  >;
  readonly operations: Readonly<
    Record<string, { readonly channel: Reference; readonly messages: readonly Reference[] }>
  >;
}
interface Reference {
  readonly $ref: string;
}

const document = asyncApiDocument('1.2.3') as Document;

describe('the AsyncAPI document', () => {
  it('is served', async () => {
    await using doors = await startDoors();
    const response = await fetch(`${doors.url.replace('ws:', 'http:')}/asyncapi.json`);
    expect(response.headers.get('content-type')).toContain('application/json');
    const served = (await response.json()) as Document & { readonly info: { readonly version: string } };
    expect(served.info.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(served.channels).toEqual(JSON.parse(JSON.stringify(document.channels)));
  });

  it('has every frame, and refers to nothing that is not there', () => {
    const names = [...Object.keys(clientFrames), ...Object.keys(brokerFrames)];
    expect(Object.keys(document.channels['json']!.messages)).toEqual(names);
    for (const { channel, messages } of Object.values(document.operations)) {
      for (const { $ref } of [channel, ...messages]) {
        const target = $ref
          .slice(2)
          .split('/')
          .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
        expect(target, $ref).toBeDefined();
      }
    }
  });

  it('has the fields that the scanner of publish frames knows', () => {
    expect(Object.keys(clientFrames.publish.properties).toSorted()).toEqual([...publishFields].toSorted());
  });
});
