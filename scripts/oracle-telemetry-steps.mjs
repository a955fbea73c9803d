/**
 * The oracle's requests of clients that tell of themselves (KIP-714). Kafka tells clients of these requests only where it
 * has a plugin that takes what is pushed, but answers them all the same.
 */

import { Operation, Resource, settled, zeroUuid } from './oracle-requests.mjs';

const Key = { CONFIGS: 44, SUBSCRIPTIONS: 71, PUSH: 72 };
const Compression = { NONE: 0, GZIP: 1, UNKNOWN: 9 };
/** Longer than the scenario takes: what comes twice within it comes too early. */
const intervalMs = 3_600_000;
const aboveLargest = 1024 * 1024 + 1;

export async function telemetry(target) {
  await target.ask('subscriptions of a new client', Key.SUBSCRIPTIONS, 0, { clientInstanceId: zeroUuid });
  await target.ask('subscriptions of a client', Key.SUBSCRIPTIONS, 0, { clientInstanceId: 'BBBBBBBBBBBBBBBBBBBBBA' });
  await target.ask('push of a new client', Key.PUSH, 0, { clientInstanceId: zeroUuid, metrics: Buffer.alloc(0) });
  await target.ask('push of a client', Key.PUSH, 0, {
    clientInstanceId: 'CCCCCCCCCCCCCCCCCCCCCA',
    subscriptionId: 7,
    metrics: Buffer.from([1]),
  });
  await subscribed(target);
}

async function subscribed(target) {
  const subscription = target.topic('metrics');
  const configure = async (label, ...values) => {
    const configs = values.map(([name, value]) => ({
      name,
      configOperation: value === null ? Operation.DELETE : Operation.SET,
      value,
    }));
    const resources = [{ resourceType: Resource.CLIENT_METRICS, resourceName: subscription, configs }];
    await target.ask(label, Key.CONFIGS, 1, { resources, validateOnly: false });
    await settled();
  };
  const matched = target.topic('told');
  const metrics = 'org.apache.kafka.producer.,org.apache.kafka.consumer.';
  await configure(
    'subscription',
    ['metrics', metrics],
    ['interval.ms', `${intervalMs}`],
    ['match', `client_id=${matched}.*`],
  );

  const stranger = new ToldClient(target, target.topic('stranger'), 1);
  await stranger.subscribe('of a stranger');
  await stranger.push('of a stranger');
  const first = new ToldClient(target, `${matched}-1`, 2);
  await first.subscribe('of one that is matched');
  await first.subscribe('of it too early');
  await first.push('of it');
  await first.push('of it too early');
  await first.push('of its end, too early', { terminating: true });
  await first.push('of it after its end');
  await first.subscribe('of it after its end');
  const second = new ToldClient(target, `${matched}-2`, 3);
  await second.push('before it has asked');
  await second.subscribe('after it has pushed');
  await second.push('of another subscription', { subscriptionId: 1 });
  await second.push('of its own after that');
  await second.subscribe('after it was too early');
  const sixth = new ToldClient(target, `${matched}-6`, 7);
  await sixth.subscribe('of a sixth');
  await sixth.push('of another subscription, of a sixth', { subscriptionId: 1 });
  await sixth.subscribe('again, as the subscription was another');
  await sixth.push('of the subscription that it has heard of again');
  const third = new ToldClient(target, `${matched}-3`, 4);
  await third.subscribe('of a third');
  await third.push('compressed by what there is not', { compressionType: Compression.UNKNOWN });
  await third.subscribe('after what there is not');
  await third.push('compressed by none, after that');
  const fourth = new ToldClient(target, `${matched}-4`, 5);
  await fourth.subscribe('of a fourth');
  await fourth.push('of more than may be', { metrics: Buffer.alloc(aboveLargest) });
  await fourth.subscribe('after more than may be');
  await fourth.push('of its end', { terminating: true });
  const fifth = new ToldClient(target, `${matched}-5`, 6);
  await fifth.subscribe('of a fifth');
  await fifth.push('of what cannot be read', { compressionType: Compression.GZIP, metrics: Buffer.from('no') });

  await configure('other metrics', ['metrics', '*']);
  await first.push('with what has changed');
  await first.subscribe('of what has changed');
  await first.push('after what has changed');
  await second.subscribe('of what has changed, of a second');
  await configure('away', ['metrics', null], ['interval.ms', null], ['match', null]);
  await first.subscribe('once there are none');
}

class ToldClient {
  #ask;
  #subscriptionId = 0;
  #clientInstanceId;

  constructor(target, clientId, number) {
    this.#ask = target.asOther(clientId);
    this.#clientInstanceId = `${'D'.repeat(20)}${number}A`;
  }

  async subscribe(label) {
    const fields = { clientInstanceId: this.#clientInstanceId };
    const { errorCode, subscriptionId } = await this.#ask(
      `subscriptions ${label}`,
      Key.SUBSCRIPTIONS,
      0,
      fields,
      inOrder,
    );
    if (errorCode === 0) this.#subscriptionId = subscriptionId;
  }

  async push(label, more = {}) {
    await this.#ask(`push ${label}`, Key.PUSH, 0, {
      clientInstanceId: this.#clientInstanceId,
      subscriptionId: this.#subscriptionId,
      terminating: false,
      compressionType: Compression.NONE,
      metrics: Buffer.alloc(0),
      ...more,
    });
  }
}

const inOrder = (answer) => ({ ...answer, requestedMetrics: answer.requestedMetrics.toSorted() });
