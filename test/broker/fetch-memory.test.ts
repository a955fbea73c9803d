import { describe, expect, it } from 'vitest';
import { FetchMemory, littleBytes, smallGrantBytes, type FetchGrant } from '../../src/broker/fetch-memory.ts';
import { ManualClock } from './manual-clock.ts';

const capacityBytes = 64 * smallGrantBytes;

/** A connection that gives back what it holds when it is dropped, as a door's does. */
class Holder {
  readonly id: number;
  readonly grants: FetchGrant[] = [];
  dropped = 0;

  constructor(id: number) {
    this.id = id;
  }

  drop(): void {
    this.dropped++;
    for (const grant of this.grants.splice(0)) grant.release();
  }
}

function setUp(): { memory: FetchMemory; clock: ManualClock } {
  const clock = new ManualClock();
  return { memory: new FetchMemory(clock, capacityBytes), clock };
}

/** Has `holder` take all that it can get for responses, which it does not take. */
function stall(memory: FetchMemory, holder: Holder): void {
  for (let grant = memory.reserve(holder, capacityBytes); grant !== null;) {
    grant.settle(grant.sizeBytes);
    holder.grants.push(grant);
    grant = memory.reserve(holder, capacityBytes);
  }
}

function fill(memory: FetchMemory): Holder[] {
  const holders: Holder[] = [];
  while (capacityBytes - memory.heldBytes >= smallGrantBytes) {
    const holder = new Holder(holders.length);
    holders.push(holder);
    stall(memory, holder);
  }
  return holders;
}

describe('fetch memory', () => {
  it('grants what is asked for, up to an eighth of what is free', () => {
    const { memory } = setUp();
    expect(memory.reserve(new Holder(1), 1000)!.sizeBytes).toBe(1000);
    expect(memory.reserve(new Holder(2), capacityBytes)!.sizeBytes).toBe(Math.floor((capacityBytes - 1000) / 8));
  });

  it('leaves room for many others, whoever does not read', () => {
    const { memory } = setUp();
    const holders = fill(memory);
    expect(holders.length).toBeGreaterThan(20);
    expect(memory.heldBytes).toBeLessThanOrEqual(capacityBytes);
  });

  it('corrects a grant to what came of it', () => {
    const { memory } = setUp();
    const grant = memory.reserve(new Holder(1), 5000)!;
    grant.settle(700);
    expect([grant.sizeBytes, memory.heldBytes]).toEqual([700, 700]);
    grant.release();
    expect(memory.heldBytes).toBe(0);
  });

  it('serves those who wait in the order of their coming, and lets nobody pass', () => {
    const { memory } = setUp();
    const holders = fill(memory);
    const served: string[] = [];
    for (const name of ['first', 'second']) memory.wait(new Holder(100), smallGrantBytes, () => served.push(name));
    expect(memory.reserve(new Holder(101), littleBytes + 1)).toBeNull();
    holders[0]!.drop();
    expect(served[0]).toBe('first');
    expect(memory.waitingCount).toBe(2 - served.length);
  });

  it('does not let those wait who want little, behind others that hold everything and others that wait', () => {
    const { memory } = setUp();
    fill(memory);
    memory.wait(new Holder(100), smallGrantBytes, () => expect.unreachable('there is no room'));
    expect(memory.reserve(new Holder(101), smallGrantBytes)).toBeNull();
    let served = 0;
    for (;;) {
      const grant = memory.reserve(new Holder(200 + served), littleBytes);
      if (grant === null) break;
      expect(grant.sizeBytes).toBe(littleBytes);
      grant.settle(littleBytes);
      served++;
    }
    // Four MiB are kept for them, and they are bounded as well.
    expect(served).toBeGreaterThanOrEqual((4 * 1024 * 1024) / littleBytes);
    expect(memory.heldBytes).toBeLessThanOrEqual(capacityBytes * (17 / 16));
    expect(memory.reserve(new Holder(102), littleBytes + 1)).toBeNull();
    // Not for one that reads none of it.
    const { memory: other } = setUp();
    const [greedy] = fill(other);
    expect(other.reserve(greedy!, littleBytes)).toBeNull();
  });

  it('does not hold up others for one who waits for what its own connection holds', () => {
    const { memory } = setUp();
    const greedy = new Holder(1);
    stall(memory, greedy);
    let served = 0;
    memory.wait(greedy, smallGrantBytes, () => served++);
    expect(memory.reserve(new Holder(2), smallGrantBytes)).not.toBeNull();
    expect(served).toBe(0);
    greedy.grants.shift()!.release();
    expect(served).toBe(1);
  });

  it('drops those who take no response for five seconds while others wait, the longest first, no more than necessary', () => {
    const { memory, clock } = setUp();
    const holders = fill(memory);
    clock.advance(4000);
    const grants: FetchGrant[] = [];
    memory.wait(new Holder(100), smallGrantBytes, (grant) => grants.push(grant));
    clock.advance(999);
    expect(holders.every(({ dropped }) => dropped === 0)).toBe(true);
    clock.advance(1);
    expect(grants).toHaveLength(1);
    const dropped = holders.map((holder) => holder.dropped);
    expect(dropped[0]).toBe(1);
    expect(dropped.slice(0, dropped.indexOf(0))).toEqual(dropped.filter((count) => count === 1));
    expect(dropped.indexOf(0)).toBeLessThan(holders.length / 2);
  });

  it('counts no time in which the thread was held up, and looks at what came in before it drops anybody', async () => {
    const { memory, clock } = setUp();
    const [first, second] = fill(memory);
    memory.wait(new Holder(100), capacityBytes, () => {});
    clock.advance(2000);
    await clock.stall(60_000);
    clock.advance(2950);
    expect(first!.dropped).toBe(0);
    // Too short to count.
    await clock.stall(60, () => {
      for (const grant of first!.grants.splice(0)) grant.release();
    });
    // Who waited has what the first gave back.
    expect([first!.dropped, second!.dropped]).toEqual([0, 0]);
  });

  it('drops nobody while there is room, however long a response takes', () => {
    const { memory, clock } = setUp();
    const slow = new Holder(1);
    stall(memory, slow);
    memory.wait(slow, smallGrantBytes, () => {});
    clock.advance(60_000);
    expect(slow.dropped).toBe(0);
    expect(clock.pendingCount).toBe(0);
  });

  it('drops nobody for a read that takes its time', () => {
    const { memory, clock } = setUp();
    const reading = new Holder(1);
    const grants: (FetchGrant | null)[] = [];
    for (let grant = memory.reserve(reading, capacityBytes); grant !== null;) {
      grants.push(grant);
      grant = memory.reserve(new Holder(grants.length + 1), capacityBytes);
    }
    memory.wait(new Holder(100), smallGrantBytes, () => {});
    clock.advance(4000);
    for (const grant of grants) grant!.settle(grant!.sizeBytes);
    clock.advance(4999);
    expect(reading.dropped).toBe(0);
  });

  it('looks no longer once nobody waits', () => {
    const { memory, clock } = setUp();
    fill(memory);
    const giveUp = memory.wait(new Holder(100), 1, () => {});
    expect(clock.pendingCount).toBe(1);
    giveUp();
    clock.advance(10_000);
    expect(clock.pendingCount).toBe(0);
  });
});
