/** What one connection publishes, without a socket: what it keeps of frames under way, and of whom it speaks for. */

import { describe, expect, it } from 'vitest';
import type { Broker } from '../../../src/broker/broker.ts';
import { Caller } from '../../../src/gateway/caller.ts';
import { Publishing, type PublishingOwner } from '../../../src/server/json-websocket/publishing.ts';
import { PublishScanner, Scanned } from '../../../src/server/json-websocket/publish-scanner.ts';
import { bytes, openGateway } from '../../gateway/gateway-harness.ts';

class Owner implements PublishingOwner {
  readonly frames: Record<string, unknown>[] = [];
  readonly isBehind = false;
  readonly caller: Caller;
  destroyed = false;

  constructor(broker: Broker) {
    this.caller = new Caller(broker, 'test', '192.0.2.1');
  }

  sendAll(frames: readonly string[]): void {
    for (const frame of frames) this.frames.push(JSON.parse(frame) as Record<string, unknown>);
  }

  destroy(): void {
    this.destroyed = true;
  }
}

async function open() {
  const gateway = await openGateway({ config: { 'auto.create.topics.enable': 'false' } });
  await gateway.createTopic('t', 1);
  const owner = new Owner(gateway.broker);
  const publishing = new Publishing(owner, gateway.publisher, { type: 'configure' });
  const scanner = new PublishScanner();
  const publish = (frame: object): string | null => {
    const scanned = scanner.scan(bytes(JSON.stringify(frame)));
    if (scanned !== Scanned.PUBLISH) throw new Error(scanner.problem);
    return publishing.publish(scanner);
  };
  return { gateway, owner, publishing, publish };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a publishing connection', () => {
  it('has too much on its way where too many small frames wait', async () => {
    const { gateway, owner, publishing, publish } = await open();
    gateway.store.held = [];
    let count = 0;
    while (!publishing.isOverfull && count < 400_000) publish({ type: 'publish', id: ++count, topic: 't', value: 1 });
    expect(count).toBeGreaterThan(200_000);
    expect(count).toBeLessThan(300_000);
    await turn();
    gateway.store.finishHeld();
    while (owner.frames.length < count) await turn();
    expect(owner.frames.at(-1)).toMatchObject({ type: 'ack', id: count, offset: count - 1 });
    expect(publishing.isOverfull).toBe(false);
  });

  it('remembers what was refused of a producer while it speaks for it, however many others it speaks for', async () => {
    const { gateway, owner, publish } = await open();
    const send = async (producer: string, sequence: number): Promise<unknown> => {
      expect(publish({ type: 'publish', id: 1, topic: 'later', producer, sequence, value: 1 })).toBeNull();
      const before = owner.frames.length;
      while (owner.frames.length === before) await turn();
      return owner.frames.at(-1);
    };
    expect(await send('a', 1)).toMatchObject({ error: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await gateway.createTopic('later', 1);
    for (let i = 0; i < 150; i++) {
      await send(`other-${i}`, 0);
      // Were it stored, number 1 would be taken for a duplicate when it comes again.
      expect(await send('a', 2)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
    }
    expect(await send('a', 1)).toMatchObject({ type: 'ack' });
    expect(await send('a', 2)).toMatchObject({ type: 'ack' });
  });

  it('looks at base64 of any length without a step into itself', async () => {
    const { owner, publish } = await open();
    const long = 'AAAA'.repeat(4_000_000);
    expect(publish({ type: 'publish', id: 1, topic: 't', base64: `${long}!` })).toMatch(/not base64/);
    expect(publish({ type: 'publish', id: 1, topic: 't', base64: long })).toBeNull();
    while (owner.frames.length < 1) await turn();
    expect(owner.frames).toMatchObject([{ type: 'error', id: 1, error: 'MESSAGE_TOO_LARGE' }]);
    for (const wrong of ['A', 'AAA', 'AA=A', 'AAAA=', 'AB==', 'A-A_', ' AAAA']) {
      expect(publish({ type: 'publish', id: 2, topic: 't', base64: wrong }), wrong).toMatch(/not base64/);
    }
  });

  it('ends where what became of its records cannot be told', async () => {
    const { owner, publish } = await open();
    owner.sendAll = () => {
      throw new Error('a defect');
    };
    publish({ type: 'publish', id: 1, topic: 't', value: 1 });
    while (!owner.destroyed) await turn();
  });
});
