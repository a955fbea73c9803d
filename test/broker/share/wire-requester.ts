/** Has a test's member of a share group ask a real broker, over TCP. */

import * as api from '../../../src/protocol/generated/index.ts';
import type { WireClient } from '../../program/wire-client.ts';
import { FakeConnection, type BrokerHarness } from '../broker-harness.ts';

/** What a member asks: a harness, or a broker over a connection. */
export type Requester = Pick<BrokerHarness, 'request' | 'connect'>;

/** Fields that are left out have their defaults. */
export function requesterOver(client: WireClient): Requester {
  return {
    request(codec, version, fields = {}) {
      const defaults = (api as unknown as Record<string, () => object>)[`default${codec.name}Request`]!();
      const request = { ...defaults, ...fields };
      return client.request(codec, version, request as Parameters<typeof codec.encodeRequest>[1]);
    },
    connect: () => new FakeConnection(1),
  };
}
