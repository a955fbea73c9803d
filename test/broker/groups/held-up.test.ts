/** Members of groups of every kind whose heartbeats came in while the broker's thread was held up. */

import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { TestShareConsumer } from '../share/test-share-consumer.ts';
import { stableConsumers } from './consumer/test-consumer.ts';
import { stableStreams } from './streams/test-streams-member.ts';
import { stableGroup } from './test-member.ts';

interface Kind {
  readonly name: string;
  readonly sessionMs: number;
  /** A member; gives what its next heartbeat is answered. */
  readonly join: (harness: BrokerHarness) => Promise<() => Promise<number>>;
}

const kinds: readonly Kind[] = [
  {
    name: 'classic',
    sessionMs: 10_000,
    join: async (harness) => {
      const [member] = await stableGroup(harness, 1);
      return () => member!.heartbeat();
    },
  },
  {
    name: 'consumer',
    sessionMs: 45_000,
    join: async (harness) => {
      const [member] = await stableConsumers(harness, 1);
      return () => member!.beat();
    },
  },
  {
    name: 'share',
    sessionMs: 45_000,
    join: async (harness) => {
      const member = new TestShareConsumer(harness);
      expect((await member.join()).errorCode).toBe(ErrorCode.NONE);
      return async () => (await member.beat()).errorCode;
    },
  },
  {
    name: 'streams',
    sessionMs: 45_000,
    join: async (harness) => {
      await harness.createTopic('lines', 2);
      const [member] = await stableStreams(harness, 1);
      return async () => (await member!.send()).errorCode;
    },
  },
];

describe.each(kinds)('a member of a $name group', ({ sessionMs, join }) => {
  async function open(): Promise<{ harness: BrokerHarness; beat: () => Promise<number> }> {
    const harness = await BrokerHarness.open();
    await harness.createTopic('topic', 1);
    const beat = await join(harness);
    expect(await beat()).toBe(ErrorCode.NONE);
    return { harness, beat };
  }

  it('stays where its heartbeat came in meanwhile', async () => {
    const { harness, beat } = await open();
    let answer = -1;
    harness.clock.advance(sessionMs - 10);
    // Too short to count: only that it is read first keeps the member.
    await harness.clock.stall(60, async () => (answer = await beat()));
    expect(answer).toBe(ErrorCode.NONE);
    harness.clock.advance(sessionMs - 1);
    expect(await beat()).toBe(ErrorCode.NONE);
  });

  it.each([
    ['right before its session ends', 1000],
    ['at its begin', 9000],
  ])('is granted the time that was lost %s, and no more', async (_, leftMs) => {
    const { harness, beat } = await open();
    harness.clock.advance(sessionMs - leftMs);
    await harness.clock.stall(5000);
    harness.clock.advance(leftMs - 1);
    expect(await beat()).toBe(ErrorCode.NONE);
    harness.clock.advance(sessionMs - leftMs);
    await harness.clock.stall(5000);
    harness.clock.advance(leftMs);
    expect(await beat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });
});
