/** A broker whose thread is held up, as by a disk that hangs, while clients send over real sockets. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { TestMember } from '../broker/groups/test-member.ts';
import { ProgramWire } from '../program/request-wire.ts';
import { BrokerInProcess } from './broker-in-process.ts';

const sessionTimeoutMs = 600;

let broker: BrokerInProcess;
let wire: ProgramWire;

beforeEach(async () => {
  broker = await BrokerInProcess.start({
    'group.min.session.timeout.ms': '100',
    'group.initial.rebalance.delay.ms': '0',
  });
  wire = await ProgramWire.open(broker.kafkaPort, 1);
});
afterEach(async () => {
  wire.close();
  await broker[Symbol.asyncDispose]();
});

/** Nothing of this thread goes on meanwhile, the broker's sockets and timers among it. */
function holdUpThread(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

it('hears the heartbeats that came in before it ends the sessions of those who sent them', async () => {
  const member = new TestMember(wire, 'group', { sessionTimeoutMs });
  expect((await member.join()).errorCode).toBe(ErrorCode.NONE);
  expect((await member.sync()).errorCode).toBe(ErrorCode.NONE);
  for (let i = 0; i < 3; i++) {
    const answer = member.heartbeat();
    // All of it lies in the broker's socket then: ticks come before the event loop goes on to read.
    for (let tick = 0; tick < 4; tick++) await new Promise<void>((resolve) => process.nextTick(resolve));
    holdUpThread(2 * sessionTimeoutMs);
    expect(await answer).toBe(ErrorCode.NONE);
  }
});
