/** What the doors' clients may do and how much of it: rights and quotas without sockets, in a time that stands still. */

import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { AclOperation, AclResource, type Authorizer } from '../../src/broker/authorizer.ts';
import { Caller } from '../../src/gateway/caller.ts';
import { NamedProducer } from '../../src/gateway/named-producers.ts';
import { limit } from '../broker/quotas/limit.ts';
import { bytes, openGateway, Outcomes, Readings, type GatewayHarness } from './gateway-harness.ts';

const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

const device = { 'client-id': 'device' };
const callerOf = ({ broker }: GatewayHarness, clientId = 'device'): Caller => new Caller(broker, clientId, '192.0.2.1');

describe('a client above its producer quota', () => {
  it('hears of what comes next once it is within, and is asked for no more before', async () => {
    const gateway = await openGateway();
    await gateway.createTopic('t');
    await limit(gateway, device, 'producer_byte_rate', 1000);
    const target = gateway.publisher.target('t');
    const outcomes = new Outcomes();
    const stream = gateway.publisher.openStream(outcomes, { caller: callerOf(gateway) });
    expect(stream.publish(target, 0, null, new Uint8Array(20_000))).toBe(true);
    expect(await outcomes.all(1)).toEqual(['t-0@0']);
    // Ten windows of a second: 20 KB stand for 2,000 a second, which is 10 seconds too much.
    expect(stream.publish(target, 0, null, bytes('next'))).toBe(false);
    await turns();
    expect(outcomes.told).toEqual(['t-0@0']);
    expect(gateway.broker.topics.partition(gateway.broker.topics.topic('t')!, 0)!.endOffset).toBe(2);
    gateway.clock.advance(9000);
    await turns();
    expect(outcomes.told).toHaveLength(1);
    expect(outcomes.resumes).toBe(0);
    gateway.clock.advance(2000);
    await turns();
    expect(outcomes.told).toEqual(['t-0@0', 't-0@1']);
    expect(outcomes.resumes).toBe(1);
    expect(stream.publish(target, 0, null, bytes('next'))).toBe(true);
  });

  it('waits on all of its connections, and nobody else does', async () => {
    const gateway = await openGateway();
    await gateway.createTopic('t');
    await limit(gateway, device, 'producer_byte_rate', 1000);
    const target = gateway.publisher.target('t');
    const open = (clientId: string) => {
      const outcomes = new Outcomes();
      return {
        outcomes,
        stream: gateway.publisher.openStream(outcomes, { caller: callerOf(gateway, clientId) }),
      };
    };
    const [first, second, other] = [open('device'), open('device'), open('another')];
    first.stream.publish(target, 0, null, new Uint8Array(20_000));
    await first.outcomes.all(1);
    second.stream.publish(target, 0, null, bytes('a'));
    other.stream.publish(target, 0, null, new Uint8Array(20_000));
    await other.outcomes.all(1);
    expect(second.outcomes.told).toEqual([]);
    gateway.clock.advance(12_000);
    expect(await second.outcomes.all(1)).toHaveLength(1);
  });

  it('is charged though it goes before it is told', async () => {
    const gateway = await openGateway();
    await gateway.createTopic('t');
    await limit(gateway, device, 'producer_byte_rate', 1000);
    const caller = callerOf(gateway);
    const stream = gateway.publisher.openStream(new Outcomes(), { caller });
    stream.publish(gateway.publisher.target('t'), 0, null, new Uint8Array(20_000));
    stream.close();
    expect(caller.heldMs('producer_byte_rate')).toBeGreaterThan(5000);
    expect(gateway.clock.pendingCount).toBe((await openGateway()).clock.pendingCount);
  });
});

describe('a client above its consumer quota', () => {
  it('reads on once it is within', async () => {
    const gateway = await openGateway();
    await gateway.createTopic('t');
    await limit(gateway, device, 'consumer_byte_rate', 1000);
    const value = new Uint8Array(20_000);
    await gateway.publisher.publish('t', [{ value }]);
    const readings = new Readings();
    const reader = gateway.feeds.openReader(readings, { creditRecords: Infinity, caller: callerOf(gateway) });
    await reader.add('t', 0, 'earliest');
    reader.grant(0, Infinity);
    await readings.count(1);
    await gateway.publisher.publish('t', [{ value: bytes('next') }]);
    await turns();
    expect(readings.told).toHaveLength(1);
    gateway.clock.advance(9000);
    await turns();
    expect(readings.told).toHaveLength(1);
    gateway.clock.advance(2000);
    await turns();
    expect(readings.told).toHaveLength(2);
    reader.close();
  });
});

/** Allows what is listed, as `operation resource name`. */
class Listed implements Authorizer {
  readonly allowed = new Set<string>();

  allows(...[, operation, resource, name]: Parameters<Authorizer['allows']>): boolean {
    return this.allowed.has(`${operation} ${resource} ${name}`);
  }

  allowsOnAny(): boolean {
    return this.allowed.size > 0;
  }

  allow(operation: AclOperation, name: string, resource: AclResource = AclResource.TOPIC): void {
    this.allowed.add(`${operation} ${resource} ${name}`);
  }
}

describe('a client without rights', () => {
  it('writes to no topic, and creates none by naming it', async () => {
    const authorizer = new Listed();
    const gateway = await openGateway({ authorizer });
    await gateway.createTopic('t');
    const outcomes = new Outcomes();
    const stream = gateway.publisher.openStream(outcomes, { caller: callerOf(gateway) });
    const send = (topic: string) => stream.publish(gateway.publisher.target(topic), -1, null, bytes('a'));
    send('t');
    send('missing');
    authorizer.allow(AclOperation.WRITE, 't');
    authorizer.allow(AclOperation.WRITE, 'missing');
    send('t');
    send('missing');
    authorizer.allow(AclOperation.CREATE, 'missing');
    send('missing');
    const forbidden = ErrorCode.TOPIC_AUTHORIZATION_FAILED;
    expect(await outcomes.all(5)).toEqual([forbidden, forbidden, 't-0@0', forbidden, 'missing-0@0']);
    expect(outcomes.messages[0]).toBe('User:ANONYMOUS may not write to the topic t.');
    // A right that is taken away counts from the next turn on.
    authorizer.allowed.clear();
    send('t');
    send('t');
    expect((await outcomes.all(7)).slice(5)).toEqual([forbidden, forbidden]);
    const producer = new NamedProducer('p');
    const resumed = await gateway.publisher.resume(producer, 't', { caller: callerOf(gateway) });
    expect(resumed.errorCode).toBe(forbidden);
  });

  it('reads no topic, and no longer where the right is taken away', async () => {
    const authorizer = new Listed();
    const gateway = await openGateway({ authorizer });
    await gateway.createTopic('t');
    await gateway.publisher.publish('t', [{ value: bytes('a') }]);
    const readings = new Readings();
    const reader = gateway.feeds.openReader(readings, {
      creditRecords: Infinity,
      creditBytes: Infinity,
      caller: callerOf(gateway),
    });
    const forbidden = ErrorCode.TOPIC_AUTHORIZATION_FAILED;
    expect(await reader.add('t', 0, 'earliest')).toMatchObject({ errorCode: forbidden });
    authorizer.allow(AclOperation.READ, 't');
    expect(await reader.add('t', 0, 'earliest')).toBe(0);
    expect(await readings.count(1)).toEqual(['t-0@0=a']);
    authorizer.allowed.clear();
    await gateway.publisher.publish('t', [{ value: bytes('b') }]);
    await readings.until(() => readings.failures.length > 0);
    expect(readings.failures).toMatchObject([{ partition: 't-0', errorCode: forbidden }]);
    expect(readings.told).toHaveLength(1);
    reader.close();
  });
});
