/**
 * Telemetry of clients (KIP-714): which client pushes what and when, and what it has pushed. I/O thread.
 *
 *   client-metrics settings ─► subscription of a client ─► GetTelemetrySubscriptions
 *   PushTelemetry ─► checked ─► inflated within a bound ─► otlp-metrics.ts ─► series of the client ─► /metrics
 *
 * What a client was told and has pushed is in memory alone: it asks again after a start. Clients choose their ids, so
 * their number is bounded, the one that was quiet for longest goes first, and so are the series of each and what all take. Deltas are
 * summed up; what comes is shown until the client has missed three pushes. How it is shown stands in telemetry-text.ts.
 */

import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { randomUuid, zeroUuid, type Uuid } from '../../base/uuid.ts';
import type { RandomSource } from '../../base/random.ts';
import { crc32c } from '../../records/crc32c.ts';
import { batchField, batchHeaderSizeBytes, Compression } from '../../records/record-batch.ts';
import type { LogStore } from '../../storage/partition-log.ts';
import type { BrokerConfig } from '../broker-config.ts';
import { defaultPushIntervalMs, parseMatch, type MatchName, type MatchPattern } from '../client-metrics-config.ts';
import { configList } from '../config-definition.ts';
import type { LinearPatterns } from '../linear-patterns.ts';
import type { RequestContext } from '../request-context.ts';
import type { ResourceConfigs } from '../resource-configs.ts';
import { MalformedMetrics, readMetrics, type MetricPoint } from './otlp-metrics.ts';

/** What a client is asked for. */
export interface Subscription {
  readonly id: number;
  readonly pushIntervalMs: number;
  /** Prefixes; `*` alone is all. */
  readonly metrics: readonly string[];
}

export interface Push {
  readonly clientInstanceId: Uuid;
  readonly subscriptionId: number;
  readonly terminating: boolean;
  readonly compressionType: number;
  readonly metrics: Uint8Array;
}

/** One number that a client has told of itself. */
export interface Series {
  readonly name: string;
  readonly attributes: MetricPoint['attributes'];
  readonly isCounter: boolean;
  value: number;
}

export interface ClientSeries {
  readonly instanceId: Uuid;
  readonly clientId: string;
  readonly softwareName: string;
  readonly softwareVersion: string;
  readonly series: readonly Series[];
}

export interface ClientTelemetryOptions {
  readonly subscriptions: ResourceConfigs;
  readonly patterns: LinearPatterns;
  readonly config: BrokerConfig;
  readonly store: Pick<LogStore, 'inflate'>;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** In the order of Kafka's preference. */
export const acceptedCompressions: readonly number[] = [
  Compression.ZSTD,
  Compression.LZ4,
  Compression.GZIP,
  Compression.SNAPPY,
];
const maxInstances = 4096;
const maxSeriesPerClient = 2000;
/** What all series may take together: their texts are the clients' as well. */
const maxKeptBytes = 64 * 1024 * 1024;
/** A series beside its texts, roughly. */
const seriesBytes = 256;
const largestInflatedBytes = 16 * 1024 * 1024;
const missedPushes = 3;
/** Of what a client calls itself, so much is matched and shown. */
const longestClientText = 255;

interface Instance {
  readonly id: Uuid;
  readonly client: Readonly<Record<MatchName, string>>;
  subscription: Subscription;
  /** The state of the settings that the subscription follows from. */
  settings: number;
  askedAtMs: number;
  pushedAtMs: number;
  seenAtMs: number;
  hasEnded: boolean;
  /** Of the last push. */
  lastError: ErrorCode;
  readonly series: Map<string, Series>;
  keptBytes: number;
}

/** The settings of one subscription. */
interface Selection {
  readonly patterns: readonly MatchPattern[];
  readonly metrics: readonly string[];
  readonly pushIntervalMs: number;
}

const never = -Infinity;
/** What a client learns from that it has to ask again, at once: its push was for something else than it was told. */
const mayAskAgain: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNKNOWN_SUBSCRIPTION_ID,
  ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
]);

export class ClientTelemetry {
  readonly #options: ClientTelemetryOptions;
  /** Least recently seen first. */
  readonly #instances = new Map<Uuid, Instance>();
  #keptBytes = 0;
  #selections: readonly Selection[] = [];
  /** The state of the settings that the selections follow from. */
  #selected = -1;

  constructor(options: ClientTelemetryOptions) {
    this.#options = options;
  }

  /** Resolves once clients can be matched: everything else here is to be called after it. */
  async ready(): Promise<void> {
    const { subscriptions, patterns } = this.#options;
    if (this.#selected === subscriptions.changes) return;
    const needsEngine = [...subscriptions.entries()].some(([, configs]) => (configs.get('match') ?? '') !== '');
    if (needsEngine) await patterns.ready();
  }

  /** What the client is to push, and the id that it has from now on. THROTTLING_QUOTA_EXCEEDED: it asks too often. */
  subscribe(
    clientInstanceId: Uuid,
    context: RequestContext,
  ): { readonly errorCode: ErrorCode; readonly instanceId: Uuid; readonly subscription: Subscription } {
    const instanceId = clientInstanceId === zeroUuid ? randomUuid(this.#options.random) : clientInstanceId;
    const instance = this.#instance(instanceId, context);
    const { subscription } = instance;
    const nowMs = this.#options.clock.monotonicMs();
    const isTooEarly = nowMs - Math.max(instance.askedAtMs, instance.pushedAtMs) < subscription.pushIntervalMs;
    if (isTooEarly && !mayAskAgain.has(instance.lastError)) {
      return { errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED, instanceId, subscription };
    }
    // Who asks again still waits with its next push, as with Kafka.
    if (!isTooEarly) instance.askedAtMs = nowMs;
    instance.lastError = ErrorCode.NONE;
    return { errorCode: ErrorCode.NONE, instanceId, subscription };
  }

  /** Takes what a client pushes; errors as Kafka gives them. */
  push(push: Push, context: RequestContext): ErrorCode {
    if (push.clientInstanceId === zeroUuid) return ErrorCode.INVALID_REQUEST;
    const instance = this.#instance(push.clientInstanceId, context);
    const problem = this.#problemOf(push, instance);
    instance.hasEnded = push.terminating;
    instance.lastError = problem === ErrorCode.NONE ? this.#take(push, instance) : problem;
    return instance.lastError;
  }

  #take(push: Push, instance: Instance): ErrorCode {
    if (push.metrics.length === 0) return ErrorCode.NONE;
    const bytes = this.#inflated(push);
    if (bytes === null) return ErrorCode.INVALID_RECORD;
    try {
      this.#keep(readMetrics(bytes), instance);
      return ErrorCode.NONE;
    } catch (error) {
      if (error instanceof MalformedMetrics) return ErrorCode.INVALID_RECORD;
      throw error;
    }
  }

  /** What clients have pushed of late. */
  *clients(): Generator<ClientSeries> {
    this.#forgetQuiet();
    for (const { id, client, series } of this.#instances.values()) {
      if (series.size === 0) continue;
      yield {
        instanceId: id,
        clientId: client.client_id,
        softwareName: client.client_software_name,
        softwareVersion: client.client_software_version,
        series: [...series.values()],
      };
    }
  }

  #problemOf(push: Push, instance: Instance): ErrorCode {
    if (instance.hasEnded) return ErrorCode.INVALID_REQUEST;
    const { subscription } = instance;
    const nowMs = this.#options.clock.monotonicMs();
    // The first push comes at any time after the client has asked, as clients spread theirs.
    const mayPush =
      instance.askedAtMs > instance.pushedAtMs || nowMs - instance.pushedAtMs >= subscription.pushIntervalMs;
    if (mayPush) instance.pushedAtMs = nowMs;
    else if (!push.terminating) return ErrorCode.THROTTLING_QUOTA_EXCEEDED;
    if (push.subscriptionId !== subscription.id) return ErrorCode.UNKNOWN_SUBSCRIPTION_ID;
    const { compressionType } = push;
    if (compressionType !== Compression.NONE && !acceptedCompressions.includes(compressionType)) {
      return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
    }
    const largestBytes = this.#options.config.number('telemetry.max.bytes');
    return push.metrics.length > largestBytes ? ErrorCode.TELEMETRY_TOO_LARGE : ErrorCode.NONE;
  }

  /** The bytes as they were before their compression; null where they do not inflate within the bound. */
  #inflated({ compressionType, metrics }: Push): Uint8Array | null {
    if (compressionType === Compression.NONE) return metrics;
    // The store inflates bodies of batches, and looks at nothing else of their headers.
    const batch = new Uint8Array(batchHeaderSizeBytes + metrics.length);
    batch[batchField.attributes + 1] = compressionType;
    batch.set(metrics, batchHeaderSizeBytes);
    const inflated = this.#options.store.inflate(batch, 0, batch.length);
    return inflated === null || inflated.length > largestInflatedBytes ? null : inflated;
  }

  #keep(points: readonly MetricPoint[], instance: Instance): void {
    const { series } = instance;
    for (const { name, attributes, value, kind } of points) {
      const key = JSON.stringify([name, attributes]);
      let one = series.get(key);
      if (one === undefined) {
        // As key and as what it was made from, of two bytes a character.
        const sizeBytes = seriesBytes + key.length * 4;
        if (series.size >= maxSeriesPerClient || this.#keptBytes + sizeBytes > maxKeptBytes) continue;
        series.set(key, (one = { name, attributes, isCounter: kind !== 'last', value: 0 }));
        instance.keptBytes += sizeBytes;
        this.#keptBytes += sizeBytes;
      }
      one.value = kind === 'delta' ? one.value + value : value;
    }
  }

  #instance(id: Uuid, context: RequestContext): Instance {
    const { clock, subscriptions } = this.#options;
    let instance = this.#instances.get(id);
    if (instance === undefined) {
      if (this.#instances.size >= maxInstances) this.#forgetOldest();
      const client = clientOf(id, context);
      const subscription = this.#subscriptionOf(id, client);
      instance = {
        id,
        client,
        subscription,
        settings: subscriptions.changes,
        askedAtMs: never,
        pushedAtMs: never,
        seenAtMs: 0,
        hasEnded: false,
        lastError: ErrorCode.NONE,
        series: new Map(),
        keptBytes: 0,
      };
    } else if (instance.settings !== subscriptions.changes) {
      // It may ask at once what has changed.
      instance.settings = subscriptions.changes;
      instance.subscription = this.#subscriptionOf(id, instance.client);
      instance.askedAtMs = never;
      instance.pushedAtMs = never;
      instance.hasEnded = false;
      instance.lastError = ErrorCode.NONE;
    }
    instance.seenAtMs = clock.monotonicMs();
    this.#instances.delete(id);
    this.#instances.set(id, instance);
    return instance;
  }

  #subscriptionOf(id: Uuid, client: Instance['client']): Subscription {
    const metrics = new Set<string>();
    let pushIntervalMs = defaultPushIntervalMs;
    for (const selection of this.#currentSelections()) {
      if (!selection.patterns.every(({ name, pattern }) => pattern.matches(client[name]))) continue;
      for (const prefix of selection.metrics) metrics.add(prefix);
      pushIntervalMs = Math.min(pushIntervalMs, selection.pushIntervalMs);
    }
    const asked = metrics.has('*') ? ['*'] : [...metrics];
    // The same for the same client and subscription, and another for any other.
    const text = new TextEncoder().encode(JSON.stringify([id, pushIntervalMs, asked.toSorted()]));
    return { id: crc32c(text) | 0, pushIntervalMs, metrics: asked };
  }

  /** Compiled once for all clients, since a change of the settings concerns each. */
  #currentSelections(): readonly Selection[] {
    const { subscriptions, patterns } = this.#options;
    if (this.#selected === subscriptions.changes) return this.#selections;
    this.#selections = [...subscriptions.entries()].map(([, configs]) => ({
      patterns: parseMatch(configs.get('match') ?? '', patterns) ?? [],
      metrics: configList(configs.get('metrics') ?? ''),
      pushIntervalMs: Number(configs.get('interval.ms') ?? defaultPushIntervalMs),
    }));
    this.#selected = subscriptions.changes;
    return this.#selections;
  }

  #forgetQuiet(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [id, { seenAtMs, subscription, keptBytes }] of this.#instances) {
      if (nowMs - seenAtMs <= missedPushes * subscription.pushIntervalMs) continue;
      this.#instances.delete(id);
      this.#keptBytes -= keptBytes;
    }
  }

  #forgetOldest(): void {
    this.#forgetQuiet();
    if (this.#instances.size < maxInstances) return;
    const [oldest] = this.#instances.values();
    if (oldest === undefined) return;
    this.#instances.delete(oldest.id);
    this.#keptBytes -= oldest.keptBytes;
  }
}

function clientOf(id: Uuid, { connection, clientId }: RequestContext): Instance['client'] {
  const cut = (text: string): string => text.slice(0, longestClientText);
  return {
    client_instance_id: id,
    client_id: cut(clientId ?? ''),
    client_software_name: cut(connection.clientSoftwareName),
    client_software_version: cut(connection.clientSoftwareVersion),
    client_source_address: connection.clientHost,
    // Doors do not tell it.
    client_source_port: '',
  };
}
