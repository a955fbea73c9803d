import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as generated from '../../../src/protocol/generated/index.ts';
import type { ApiCodec } from '../../../src/protocol/api-codec.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { Conversation, type Peer } from './conversations.ts';
import type { Fields } from './transcript.ts';

const facts = new URL('facts/kafka-4.4-group-answers.txt', import.meta.url);

test('answers as Apache Kafka does, response by response', async () => {
  const harness = await BrokerHarness.open({ config: { 'group.initial.rebalance.delay.ms': '0' } });
  const open = async (): Promise<Peer> => {
    const connection = harness.connect();
    return {
      call(api, version, fields) {
        const codec = (generated as unknown as Record<string, ApiCodec<Fields, Fields>>)[`${api}Api`]!;
        const response = harness.request(codec, version, fields, connection);
        harness.clock.advance(0);
        return response;
      },
      async pause() {
        harness.clock.advance(0);
      },
    };
  };
  const lines = await new Conversation(open, 'fact-').run();
  expect(lines).toEqual(readFileSync(facts, 'utf8').trimEnd().split('\n'));
});
