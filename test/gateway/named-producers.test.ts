import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import { Broker } from '../../src/broker/broker.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { NamedProducer, problemOfIdentity, type ResumeOptions } from '../../src/gateway/named-producers.ts';
import type { PublishStream } from '../../src/gateway/publish-stream.ts';
import { partitionOfKey } from '../../src/records/murmur2.ts';
import type { Durability } from '../../src/storage/partition-log.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { StoreHarness, valuesFrom } from '../storage/store-harness.ts';
import { bytes, Outcomes } from './gateway-harness.ts';

const { OUT_OF_ORDER_SEQUENCE_NUMBER, PRODUCER_FENCED, MESSAGE_TOO_LARGE } = ErrorCode;

/** As `Outcomes`, with a `=` before what was stored before. */
class NamedOutcomes extends Outcomes {
  duplicate(firstOrdinal: number, count: number, topic: string, partition: number, baseOffset: number): void {
    if (firstOrdinal !== this.told.length) throw new Error(`told of ${firstOrdinal} after ${this.told.length}`);
    for (let i = 0; i < count; i++) this.told.push(`=${topic}-${partition}@${baseOffset + i}`);
  }
}

/** A gateway over a store on disk, which can be killed and started again. */
class Machine {
  readonly harness = new StoreHarness();
  readonly config: Readonly<Record<string, string>>;
  broker!: Broker;
  gateway!: Gateway;

  constructor(config: Readonly<Record<string, string>> = {}) {
    this.config = config;
  }

  async start(): Promise<this> {
    await this.harness.open();
    this.broker = await Broker.open({
      store: this.harness.store,
      config: new BrokerConfig([['node.id', '1'], ...Object.entries(this.config)]),
      clusterId: 'A'.repeat(22) as Uuid,
      clock: new ManualClock(),
      random: new SeededRandom(1),
      logger: silentLogger,
    });
    this.gateway = new Gateway(this.broker);
    return this;
  }

  async restart(): Promise<void> {
    this.harness.abandon();
    await this.start();
  }

  open(
    durability: Durability = 'synced',
    maxWaitingBytes?: number,
  ): { stream: PublishStream; outcomes: NamedOutcomes } {
    const outcomes = new NamedOutcomes();
    const options = maxWaitingBytes === undefined ? { durability } : { durability, maxWaitingBytes };
    return { stream: this.gateway.publisher.openStream(outcomes, options), outcomes };
  }

  send(stream: PublishStream, producer: NamedProducer, number: number, previous: number | null = null): void {
    producer.beginSubmission();
    this.put(stream, producer, number, previous);
  }

  put(stream: PublishStream, producer: NamedProducer, number: number, previous: number | null = null, size = 0): void {
    const target = this.gateway.publisher.target('orders');
    const value = bytes(`${producer.name}:${number}`.padEnd(size, '.'));
    stream.publishNamed(producer, number, previous, target, -1, null, value);
  }

  resume(name: string, options: ResumeOptions = {}) {
    return this.gateway.resume(new NamedProducer(name), 'orders', options);
  }

  values(partition = 0): Promise<string[]> {
    const topic = this.broker.topics.topic('orders');
    return valuesFrom(this.broker.findPartition(topic, partition)!.log);
  }
}

const machines: Machine[] = [];

afterEach(() => {
  for (const machine of machines.splice(0)) machine.harness.remove();
});

async function start(config: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const machine = new Machine(config);
  machines.push(machine);
  return machine.start();
}

describe('named producers behind a door', () => {
  it('have each number stored once, in batches of a turn, and hear where it lies', async () => {
    const machine = await start();
    const { stream, outcomes } = machine.open();
    const producer = new NamedProducer('sensor');
    for (const number of [5, 6, 7]) machine.put(stream, producer, number);
    producer.beginSubmission();
    for (const number of [6, 7, 8]) machine.put(stream, producer, number);
    expect(await outcomes.all(6)).toEqual([
      'orders-0@0',
      'orders-0@1',
      'orders-0@2',
      '=orders-0@1',
      '=orders-0@2',
      'orders-0@3',
    ]);
    expect(await machine.values()).toEqual(['0:sensor:5', '1:sensor:6', '2:sensor:7', '3:sensor:8']);
    expect(machine.gateway.publisher.waitingBytes).toBe(0);
    expect(stream.waitingBytes).toBe(0);
  });

  it('go on where they were after the broker was killed', async () => {
    const machine = await start();
    const { stream, outcomes } = machine.open();
    machine.send(stream, new NamedProducer('sensor'), 2 ** 50);
    machine.send(stream, new NamedProducer('other'), 7);
    await outcomes.all(2);
    await machine.restart();
    expect(await machine.resume('sensor')).toMatchObject({ errorCode: ErrorCode.NONE, lastNumber: 2 ** 50, epoch: 0 });
    expect(await machine.resume('nobody')).toMatchObject({ errorCode: ErrorCode.NONE, lastNumber: -1, partition: 0 });
    const again = machine.open();
    machine.send(again.stream, new NamedProducer('sensor'), 2 ** 50);
    machine.send(again.stream, new NamedProducer('sensor'), 2 ** 50 + 1);
    expect(await again.outcomes.all(2)).toEqual(['=orders-0@0', 'orders-0@2']);
  });

  it('may share a name: what comes first is first', async () => {
    const machine = await start();
    const [one, other] = [machine.open(), machine.open('written')];
    for (const number of [1, 2, 3, 4]) {
      const { stream } = number % 2 === 0 ? one : other;
      machine.send(stream, new NamedProducer('shared'), number);
      machine.send(one.stream, new NamedProducer('shared'), number);
    }
    expect(await other.outcomes.all(2)).toEqual(['orders-0@0', 'orders-0@2']);
    expect(await one.outcomes.all(6)).toEqual([
      '=orders-0@0',
      'orders-0@1',
      '=orders-0@1',
      '=orders-0@2',
      'orders-0@3',
      '=orders-0@3',
    ]);
  });

  it('are in one order though they were asked for before their topic was there', async () => {
    const machine = await start();
    const { publisher } = machine.gateway;
    const [one, other] = [machine.open(), machine.open()];
    const targets = [publisher.target('orders'), publisher.target('orders')] as const;
    const put = (stream: PublishStream, which: 0 | 1, number: number): void => {
      stream.publishNamed(new NamedProducer('shared'), number, null, targets[which], -1, null, bytes(`${number}`));
    };
    put(one.stream, 0, 1);
    expect(await one.outcomes.all(1)).toEqual(['orders-0@0']);
    // In one turn, before any of it is in the log.
    for (const number of [2, 3]) put(one.stream, 0, number);
    for (const number of [1, 2, 3, 4]) put(other.stream, 1, number);
    expect(await one.outcomes.all(3)).toEqual(['orders-0@0', 'orders-0@1', 'orders-0@2']);
    expect(await other.outcomes.all(4)).toEqual(['=orders-0@0', '=orders-0@1', '=orders-0@2', 'orders-0@3']);
  });

  it('may change how durable they ask in the middle of a turn', async () => {
    const machine = await start();
    const [synced, written] = [machine.open(), machine.open('written')];
    for (let number = 1; number <= 6; number++) {
      machine.send(number % 2 === 0 ? synced.stream : written.stream, new NamedProducer('sensor'), number);
      for (let again = 1; again <= number; again++) {
        machine.send(again % 3 === 0 ? synced.stream : written.stream, new NamedProducer('sensor'), again);
      }
    }
    const told = [...(await synced.outcomes.all(8)), ...(await written.outcomes.all(19))];
    expect(told.filter((one) => !String(one).startsWith('=')).toSorted()).toEqual(
      Array.from({ length: 6 }, (_, i) => `orders-0@${i}`),
    );
  });

  it('number strictly upwards within a submission, and from one to the next as they like', async () => {
    const machine = await start();
    const { stream, outcomes } = machine.open();
    const producer = new NamedProducer('sensor');
    for (const number of [5, 5, 4, 9]) machine.put(stream, producer, number);
    const { told, messages } = Object.assign(outcomes, { told: await outcomes.all(4) });
    expect(told).toEqual(['orders-0@0', OUT_OF_ORDER_SEQUENCE_NUMBER, OUT_OF_ORDER_SEQUENCE_NUMBER, 'orders-0@1']);
    expect(messages[0]).toBe('Producer sensor sent number 5 behind 5 in one submission, where numbers rise.');
    machine.send(stream, producer, 5);
    expect((await outcomes.all(5))[4]).toBe('=orders-0@0');
  });

  it('are held to the number that they say is before', async () => {
    const machine = await start();
    const { stream, outcomes } = machine.open();
    const producer = new NamedProducer('sensor');
    machine.send(stream, producer, 5, -1);
    machine.send(stream, producer, 7, 6);
    machine.send(stream, producer, 6, 5);
    machine.send(stream, producer, 7, 6);
    expect(await outcomes.all(4)).toEqual(['orders-0@0', OUT_OF_ORDER_SEQUENCE_NUMBER, 'orders-0@1', 'orders-0@2']);
  });

  it('are fenced once another takes over', async () => {
    const machine = await start();
    const { stream, outcomes } = machine.open();
    const [older, newer] = [new NamedProducer('sensor'), new NamedProducer('sensor')];
    machine.send(stream, older, 1);
    await outcomes.all(1);
    machine.send(stream, older, 2);
    // What was handed in before counts.
    const resumed = await machine.gateway.resume(newer, 'orders', { takeover: true });
    expect(resumed).toMatchObject({ lastNumber: 2, epoch: 1, partition: 0 });
    machine.send(stream, older, 3);
    machine.send(stream, newer, 3);
    expect((await outcomes.all(4)).slice(1)).toEqual(['orders-0@1', PRODUCER_FENCED, 'orders-0@2']);
    expect(await machine.values()).toEqual(['0:sensor:1', '1:sensor:2', '2:sensor:3']);
  });

  it('have a partition that their name fixes, or the one that they give', async () => {
    const machine = await start({ 'num.partitions': '7' });
    const { stream, outcomes } = machine.open();
    const names = Array.from({ length: 20 }, (_, i) => `sensor-${i}`);
    for (const name of names) machine.send(stream, new NamedProducer(name), 1);
    const told = await outcomes.all(names.length);
    for (const [i, name] of names.entries()) {
      const partition = partitionOfKey(bytes(name), 7);
      expect(told[i]).toMatch(new RegExp(`^orders-${partition}@`));
      expect(await machine.resume(name)).toMatchObject({ partition, lastNumber: 1 });
      expect(await machine.resume(name, { partition: (partition + 1) % 7 })).toMatchObject({ lastNumber: -1 });
    }
    expect(await machine.resume('sensor-1', { partition: 7 })).toMatchObject({
      errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    });
  });

  it('let nothing pass a number that was refused for a reason that passes', async () => {
    const machine = await start();
    const { stream, outcomes } = machine.open('synced', 1000);
    const producer = new NamedProducer('sensor');
    for (let number = 1; number <= 8; number++) machine.put(stream, producer, number, null, 1000);
    const told = await outcomes.all(8);
    const first = told.indexOf(ErrorCode.THROTTLING_QUOTA_EXCEEDED) + 1;
    expect(first).toBeGreaterThan(2);
    expect(told.slice(first)).toEqual(Array.from({ length: 8 - first }, () => OUT_OF_ORDER_SEQUENCE_NUMBER));
    machine.send(stream, producer, first + 1);
    machine.send(stream, producer, first);
    machine.send(stream, producer, first + 1);
    expect((await outcomes.all(11)).slice(8)).toEqual([
      OUT_OF_ORDER_SEQUENCE_NUMBER,
      `orders-0@${first - 1}`,
      `orders-0@${first}`,
    ]);
  });

  it.each([
    ['a topic', 'false'],
    ['a partition', 'true'],
  ])('let nothing pass a number that found %s missing', async (_missing, auto) => {
    const machine = await start({ 'auto.create.topics.enable': auto });
    const { topics } = machine.broker;
    const { stream, outcomes } = machine.open();
    const producer = new NamedProducer('sensor');
    const send = async (number: number): Promise<unknown> => {
      producer.beginSubmission();
      stream.publishNamed(producer, number, null, machine.gateway.publisher.target('orders'), 1, null, bytes('a'));
      return (await outcomes.all(outcomes.told.length + 1)).at(-1);
    };
    expect(await send(1)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    if (auto === 'true') await topics.addPartitions('orders', 2, false);
    else await topics.create({ name: 'orders', partitionCount: 2, replicationFactor: 1, configs: [] });
    expect(await send(2)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect([await send(1), await send(2), await send(1)]).toEqual(['orders-1@0', 'orders-1@1', '=orders-1@0']);
  });

  it('of whom a record is refused for good go on', async () => {
    const machine = await start({ 'message.max.bytes': '2000' });
    const { stream, outcomes } = machine.open();
    const producer = new NamedProducer('sensor');
    machine.put(stream, producer, 1, null, 2000);
    machine.put(stream, producer, 2, null, 1700);
    machine.put(stream, producer, 3, null, 1700);
    expect(await outcomes.all(3)).toEqual([MESSAGE_TOO_LARGE, 'orders-0@0', 'orders-0@1']);
  });

  it('lose and repeat nothing whatever retries come, over kills', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ client: fc.nat(2), count: fc.integer({ min: 1, max: 5 }), again: fc.boolean() }),
      },
      { weight: 1, arbitrary: fc.constant('kill' as const) },
      { weight: 2, arbitrary: fc.constant('turn' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const machine = await start();
        const names = ['a', 'b', 'c'];
        const next = [1, 1, 1];
        let connection = machine.open();
        let sent: { name: string; number: number }[] = [];
        const acknowledged = new Map<string, string>();
        const collect = (): void => {
          for (const [i, told] of connection.outcomes.told.entries()) {
            const { name, number } = sent[i]!;
            expect(typeof told, `${name}:${number}`).toBe('string');
            acknowledged.set(`${name}:${number}`, String(told).replace('=', ''));
          }
        };
        for (const one of steps) {
          if (one === 'turn') await new Promise((resolve) => setImmediate(resolve));
          else if (one === 'kill') {
            collect();
            await machine.restart();
            connection = machine.open();
            sent = [];
            for (const [i, name] of names.entries()) next[i] = (await machine.resume(name)).lastNumber + 1 || 1;
          } else {
            const producer = new NamedProducer(names[one.client]!);
            const from = one.again ? Math.max(next[one.client]! - 3, 1) : next[one.client]!;
            for (let number = from; number < from + one.count; number++) {
              machine.put(connection.stream, producer, number);
              sent.push({ name: producer.name, number });
            }
            next[one.client] = Math.max(next[one.client]!, from + one.count);
          }
        }
        await connection.outcomes.all(sent.length);
        collect();
        const stored = acknowledged.size === 0 ? [] : await machine.values();
        const places = new Map(
          stored.map((line) => [line.slice(line.indexOf(':') + 1), `orders-0@${line.split(':')[0]}`]),
        );
        expect(places.size, 'nothing is stored twice').toBe(stored.length);
        for (const [record, place] of acknowledged) {
          expect([places.get(record), 'orders-0@-1']).toContain(place);
          expect(places.has(record), record).toBe(true);
        }
        machine.harness.remove();
      }),
      { numRuns: 40, seed: 3 },
    );
  }, 120_000);

  it('say what is wrong with a name or a number', () => {
    expect(problemOfIdentity('sensor-7', 0)).toBeNull();
    expect(problemOfIdentity('a b', 0)).toContain('visible ASCII');
    expect(problemOfIdentity(7, 0)).toContain('visible ASCII');
    for (const number of [-1, 0.5, 2 ** 53, '1', null])
      expect(problemOfIdentity('a', number)).toContain('whole number');
  });
});
