/**
 * What `/metrics` shows, in Prometheus' text format. I/O thread. Topics and partitions carry kafka_exporter's names, so
 * that dashboards made for Kafka work; what it has no name for begins with `millrace_`; process and runtime carry
 * prom-client's. Everything is read at the moment it is asked for; nothing is kept up to date on the side.
 *
 * prom-client is loaded at the first request, because loading it takes as long as a start.
 */

import type { Gauge, Registry } from 'prom-client';
import { present } from '../base/assert.ts';
import type { Broker } from '../broker/broker.ts';
import { telemetryText } from '../broker/telemetry/telemetry-text.ts';
import { serverApis } from '../protocol/generated/index.ts';
import type { PartitionLog } from '../storage/partition-log.ts';
import type { RecoverySummary } from '../storage/store-recovery.ts';
import type { CountingLogger } from './counting-logger.ts';
import { formatDoorAddress, type DoorAddress } from './door-address.ts';
import type { DoorMeter, Doors } from './doors.ts';

export interface MetricsSources {
  readonly broker: Broker;
  readonly version: string;
  readonly doors: Doors;
  readonly log: CountingLogger;
  /** What clients are told to use. */
  readonly address: DoorAddress;
  /** The ingest ring: its size, and how much of it waits for the disk, in bytes. */
  readonly ring: { readonly capacityBytes: number; readonly pendingBytes: () => number };
  /** What the start found where the stop before it was not clean. */
  readonly recovery: RecoverySummary;
}

type PromClient = typeof import('prom-client');

/** Returns how to collect the text; the first call loads prom-client. */
export function metricsOf(sources: () => MetricsSources): () => Promise<string> {
  let registry: Promise<Registry> | null = null;
  return async () => {
    registry ??= import('prom-client').then((module) => register(module.default, sources()));
    try {
      const own = await (await registry).metrics();
      return own + telemetryText(sources().broker.telemetry.clients());
    } catch (error) {
      // Where it could not be loaded, for want of file descriptors for one, the next call tries again.
      registry = null;
      throw error;
    }
  };
}

function register(client: PromClient, sources: MetricsSources): Registry {
  const registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry });
  registerBroker(client, registry, sources);
  registerDoors(client, registry, sources.doors.meters);
  registerPartitions(client, registry, sources.broker);
  registerGroups(client, registry, sources.broker);
  return registry;
}

/** A gauge whose values are set anew by `collect` each time somebody asks. */
function gauge<Label extends string>(
  client: PromClient,
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  collect: (gauge: Gauge<Label>) => void,
): void {
  const made = new client.Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      made.reset();
      collect(made);
    },
  });
}

/** A counter that somebody else counts. */
function counter<Label extends string>(
  client: PromClient,
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  collect: (add: (labels: Record<Label, string>, value: number) => void) => void,
): void {
  const made = new client.Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      made.reset();
      collect((labels, value) => made.inc(labels, value));
    },
  });
}

function registerBroker(client: PromClient, registry: Registry, sources: MetricsSources): void {
  const { broker, version, address, ring, log, doors, recovery } = sources;
  gauge(client, registry, 'kafka_brokers', 'How many brokers the cluster has.', [], (to) => to.set(1));
  gauge(
    client,
    registry,
    'kafka_broker_info',
    'The address that clients are given for each broker.',
    ['id', 'address'],
    (to) => to.set({ id: String(broker.nodeId), address: formatDoorAddress(address) }, 1),
  );
  gauge(client, registry, 'millrace_info', 'The release and the cluster.', ['version', 'cluster_id'], (to) =>
    to.set({ version, cluster_id: broker.clusterId }, 1),
  );
  gauge(client, registry, 'millrace_leader_epoch', 'The leader epoch; unclean starts raise it.', [], (to) =>
    to.set(broker.leaderEpoch),
  );
  gauge(client, registry, 'millrace_recovery_cut_bytes', 'Bytes that the last start moved to .cut files.', [], (to) =>
    to.set(recovery.cutBytes),
  );
  const refused = 'Partitions that the last start found damaged: they take no writes.';
  gauge(client, registry, 'millrace_recovery_refused_partitions', refused, [], (to) =>
    to.set(recovery.refusedPartitions),
  );
  const refusing = 'Partitions that take no writes at the moment, for a full or failed disk or for damage.';
  gauge(client, registry, 'millrace_refusing_partitions', refusing, [], (to) => to.set(broker.refusing().length));
  gauge(client, registry, 'millrace_ring_capacity_bytes', 'The size of the ingest ring.', [], (to) =>
    to.set(ring.capacityBytes),
  );
  gauge(client, registry, 'millrace_ring_pending_bytes', 'Bytes in the ingest ring that wait for the disk.', [], (to) =>
    to.set(ring.pendingBytes()),
  );
  gauge(client, registry, 'millrace_assembly_bytes', 'Bytes kept of frames that are not complete.', [], (to) =>
    to.set(doors.assemblyBytes),
  );
  counter(client, registry, 'millrace_log_lines_total', 'Lines of the log by level.', ['level'], (add) => {
    for (const [level, count] of Object.entries(log.counts)) add({ level }, count);
  });
}

function registerDoors(client: PromClient, registry: Registry, meters: readonly DoorMeter[]): void {
  gauge(client, registry, 'millrace_connections', 'Open connections by listener.', ['listener'], (to) => {
    for (const { listener, connectionCount } of meters) to.set({ listener }, connectionCount());
  });
  const labels = ['listener', 'api'] as const;
  counter(client, registry, 'millrace_requests_total', 'Requests by listener and API.', labels, (add) => {
    for (const { listener, service } of meters) {
      for (const [key, count] of service.requestsByKey()) {
        add({ listener, api: serverApis.get(key)?.name ?? 'unknown' }, count);
      }
    }
  });
  counter(client, registry, 'millrace_received_bytes_total', 'Bytes of requests.', ['listener'], (add) => {
    for (const { listener, service } of meters) add({ listener }, service.receivedBytes);
  });
  counter(client, registry, 'millrace_sent_bytes_total', 'Bytes of responses.', ['listener'], (add) => {
    for (const { listener, service } of meters) add({ listener }, service.sentBytes);
  });
}

/** What kafka_exporter tells of each partition; on one node each has one replica, which leads. */
function registerPartitions(client: PromClient, registry: Registry, broker: Broker): void {
  gauge(client, registry, 'kafka_topic_partitions', 'How many partitions a topic has.', ['topic'], (to) => {
    for (const { name, partitionCount } of broker.topics.image.topics()) to.set({ topic: name }, partitionCount);
  });
  const each = (name: string, help: string, value: (log: PartitionLog) => number): void =>
    gauge(client, registry, `kafka_topic_partition_${name}`, help, ['topic', 'partition'], (to) => {
      for (const topic of broker.topics.image.topics()) {
        for (let partition = 0; partition < topic.partitionCount; partition++) {
          const log = present(broker.topics.partition(topic, partition), 'a topic has its partitions');
          to.set({ topic: topic.name, partition: String(partition) }, value(log));
        }
      }
    });
  each(
    'current_offset',
    'The high watermark: where the next record that consumers see will be.',
    (log) => log.highWatermark,
  );
  each('oldest_offset', 'The log start offset: the first record that is still there.', (log) => log.logStartOffset);
  each('leader', 'The node that leads the partition.', () => broker.nodeId);
  each('replicas', 'How many replicas the partition has.', () => 1);
  each('in_sync_replica', 'How many of its replicas are in sync: 0 where it takes no writes.', (log) =>
    log.refusal === null ? 1 : 0,
  );
  each('leader_is_preferred', '1 where the preferred node leads.', () => 1);
  each('under_replicated_partition', '1 where no replica is in sync.', (log) => (log.refusal === null ? 0 : 1));
}

/** What kafka_exporter tells of each group, and of each partition in which it has committed. */
function registerGroups(client: PromClient, registry: Registry, broker: Broker): void {
  const { groups, topics } = broker;
  gauge(client, registry, 'kafka_consumergroup_members', 'How many members a group has.', ['consumergroup'], (to) => {
    for (const { group } of groups.groups()) to.set({ consumergroup: group.id }, group.members.size);
  });
  const each = (name: string, help: string, value: (committed: number, log: PartitionLog) => number): void =>
    gauge(client, registry, name, help, ['consumergroup', 'topic', 'partition'], (to) => {
      for (const { group } of groups.groups()) {
        for (const { topicId, partition, committed } of groups.commits.slots(group.id)) {
          const topic = topics.topicById(topicId);
          const log = topic === null ? null : topics.partition(topic, partition);
          if (topic === null || log === null || committed === null) continue;
          const labels = { consumergroup: group.id, topic: topic.name, partition: String(partition) };
          to.set(labels, value(committed.offset, log));
        }
      }
    });
  each('kafka_consumergroup_current_offset', 'The offset that a group has committed.', (committed) => committed);
  each('kafka_consumergroup_lag', 'How many offsets a group is behind the high watermark.', (committed, log) =>
    Math.max(log.highWatermark - committed, 0),
  );
}
