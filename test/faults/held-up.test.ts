/** A broker whose thread is held up, as by a disk that hangs, while clients send over real sockets. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { TestMember } from '../broker/groups/test-member.ts';
import { ProgramWire } from '../program/request-wire.ts';
import { BrokerInProcess } from './broker-in-process.ts';

const sessionTimeoutMs = 80;
/**
 * The first tenth of a second in which the thread is held up counts as any other, and with it sessions are over: only the
 * order in which the broker reads and looks at its timers keeps them.
 */
const latenessesMs = [10, 25, 40, 55, 70, 85];

let broker: BrokerInProcess;

beforeEach(async () => {
  broker = await BrokerInProcess.start({
    'group.min.session.timeout.ms': '50',
    'group.initial.rebalance.delay.ms': '0',
  });
});
afterEach(async () => broker[Symbol.asyncDispose]());

/** Nothing of this thread goes on meanwhile, the broker's sockets and timers among it. */
function holdUpThread(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

const doors: Readonly<Record<string, () => Promise<ProgramWire>>> = {
  TCP: () => ProgramWire.open(broker.kafkaPort, 1),
  'a WebSocket': () => ProgramWire.openWebSocket(broker.httpPort),
};

it.each(Object.keys(doors))(
  'hears over %s the heartbeats that came in before it ends the sessions of those who sent them',
  async (door) => {
    const wire = await doors[door]!();
    const member = new TestMember(wire, 'group', { sessionTimeoutMs });
    expect((await member.join()).errorCode).toBe(ErrorCode.NONE);
    expect((await member.sync()).errorCode).toBe(ErrorCode.NONE);
    // The session's timer is from here on set with each answer, as what held the thread up is behind it.
    for (const latenessMs of latenessesMs) {
      const answer = member.heartbeat();
      // All of it lies in the broker's socket then: ticks come before the event loop goes on to read.
      for (let tick = 0; tick < 4; tick++) await new Promise<void>((resolve) => process.nextTick(resolve));
      holdUpThread(sessionTimeoutMs + latenessMs);
      expect(await answer).toBe(ErrorCode.NONE);
    }
    wire.close();
  },
);
