/**
 * Looking after a cluster: topics, their settings, groups and their positions. Any thread; functions over a `Client`, so that
 * a bundle holds those that are used. All retry what passes, take `{ signal, timeoutMs }`, and reject with a `KafkaError`,
 * at the first item that the broker refuses.
 */

import { ErrorCode } from '../base/error-code.ts';
import { defaultDescribeGroupsRequest, describeGroupsClientApi } from '../protocol/generated/15-describe-groups.ts';
import { listGroupsClientApi } from '../protocol/generated/16-list-groups.ts';
import { createTopicsClientApi, defaultCreateTopicsRequest } from '../protocol/generated/19-create-topics.ts';
import { defaultDeleteTopicsRequest, deleteTopicsClientApi } from '../protocol/generated/20-delete-topics.ts';
import { describeConfigsClientApi } from '../protocol/generated/32-describe-configs.ts';
import { createPartitionsClientApi } from '../protocol/generated/37-create-partitions.ts';
import { deleteGroupsClientApi } from '../protocol/generated/42-delete-groups.ts';
import { incrementalAlterConfigsClientApi } from '../protocol/generated/44-incremental-alter-configs.ts';
import { zeroUuid } from '../base/uuid.ts';
import type { Client } from './client.ts';
import { mainLane, type PartitionMetadata, type RetryOptions } from './cluster.ts';
import type { Connection } from './connection.ts';
import { decodeAssignment } from './consumer-protocol.ts';
import { throwUnlessNone } from './kafka-error.ts';
import {
  type CommittedOffset,
  commitOffsets,
  fetchCommitted,
  type Isolation,
  listOffsets,
  nobody,
  type Place,
  type TopicPartition,
  type TopicPartitionOffset,
} from './offsets.ts';

export interface NewTopic {
  readonly name: string;
  /** Default: what the broker is set to. */
  readonly partitionCount?: number;
  /** Default: what the broker is set to. */
  readonly replicationFactor?: number;
  /** By Kafka's names, such as `retention.ms`. */
  readonly configs?: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly name: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionMetadata[];
}

export interface ConfigEntry {
  readonly name: string;
  /** Null where it is secret. */
  readonly value: string | null;
  readonly isReadOnly: boolean;
  /** Whether nobody has set it. */
  readonly isDefault: boolean;
}

/** What has settings: a topic by its name, a broker by its id. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker';
  readonly name: string;
}

export interface GroupListing {
  readonly group: string;
  readonly protocolType: string;
  /** Such as `Stable` and `Empty`; empty where the broker does not tell. */
  readonly state: string;
}

export interface GroupDescription extends GroupListing {
  /** The assignor that its members agreed on. */
  readonly protocol: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly clientId: string;
    readonly clientHost: string;
    readonly assignment: readonly TopicPartition[];
  }[];
}

const resourceTypes = { topic: 2, broker: 4 } as const;
const defaultConfigSource = 5;
const setConfig = 0;
const deleteConfig = 1;
const newestCreateTopics = 7;

/** Creates topics; TOPIC_ALREADY_EXISTS for one that exists. */
export async function createTopics(
  client: Client,
  topics: readonly (NewTopic | string)[],
  options: RetryOptions = {},
): Promise<void> {
  const wanted = topics.map((topic) => (typeof topic === 'string' ? { name: topic } : topic));
  const open = new Map(wanted.map((topic) => [topic.name, topic]));
  await onController(client, options, async (connection) => {
    const response = await connection.request(
      createTopicsClientApi,
      {
        ...defaultCreateTopicsRequest(),
        topics: [...open.values()].map(({ name, partitionCount = -1, replicationFactor = -1, configs = {} }) => ({
          name,
          numPartitions: partitionCount,
          replicationFactor,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        })),
        timeoutMs: client.settings.requestTimeoutMs,
      },
      { signal: options.signal, maxVersion: newestCreateTopics },
    );
    for (const { name, errorCode, errorMessage } of response.topics) {
      throwUnlessNone(
        errorCode,
        `to create topic ${name}`,
        errorMessage === null ? null : `topic ${name}: ${errorMessage}`,
      );
      open.delete(name);
    }
  });
  await client.cluster.refresh(wanted.map(({ name }) => name));
}

/** Deletes topics; UNKNOWN_TOPIC_OR_PARTITION for one that does not exist. */
export async function deleteTopics(
  client: Client,
  names: readonly string[],
  options: RetryOptions = {},
): Promise<void> {
  await onController(client, { ...options, once: true }, async (connection) => {
    const response = await connection.request(
      deleteTopicsClientApi,
      {
        ...defaultDeleteTopicsRequest(),
        topics: names.map((name) => ({ name, topicId: zeroUuid })),
        topicNames: [...names],
        timeoutMs: client.settings.requestTimeoutMs,
      },
      { signal: options.signal },
    );
    for (const { name, errorCode, errorMessage } of response.responses) {
      throwUnlessNone(errorCode, `to delete topic ${name}`, errorMessage);
    }
  });
  await client.cluster.refresh(names);
}

/** Gives a topic more partitions, `partitionCount` in all. */
export async function createPartitions(
  client: Client,
  topic: string,
  partitionCount: number,
  options: RetryOptions = {},
): Promise<void> {
  await onController(client, options, async (connection) => {
    const { results } = await connection.request(
      createPartitionsClientApi,
      {
        topics: [{ name: topic, count: partitionCount, assignments: null }],
        timeoutMs: client.settings.requestTimeoutMs,
        validateOnly: false,
      },
      { signal: options.signal },
    );
    for (const { errorCode, errorMessage } of results) {
      throwUnlessNone(errorCode, `more partitions for ${topic}`, errorMessage);
    }
  });
  await client.cluster.refresh([topic]);
}

/** All topics that the client may see. */
export async function listTopics(client: Client, options: RetryOptions = {}): Promise<string[]> {
  const { topics } = await client.cluster.retrying(() => client.cluster.refresh(null), options);
  return topics.flatMap(({ name }) => (name === null ? [] : [name])).toSorted();
}

/** Topics with their partitions; UNKNOWN_TOPIC_OR_PARTITION for one that does not exist. */
export async function describeTopics(
  client: Client,
  names: readonly string[],
  options: RetryOptions = {},
): Promise<TopicDescription[]> {
  return client.cluster.retrying(
    async () => {
      const { topics } = await client.cluster.refresh(names);
      const errors = new Map(topics.map(({ name, errorCode }) => [name, errorCode]));
      return names.map((name) => {
        throwUnlessNone(errors.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
        return client.cluster.known(name)!;
      });
    },
    { timeoutMs: 0, ...options },
  );
}

/** The offset of `place` in each partition, in their order. */
export function topicOffsets(
  client: Client,
  partitions: readonly TopicPartition[],
  place: Place,
  { isolation = 'read_uncommitted', ...options }: RetryOptions & { readonly isolation?: Isolation } = {},
): Promise<number[]> {
  return listOffsets(client.cluster, partitions, place, isolation, options);
}

/** The settings of a topic or broker. */
export async function describeConfigs(
  client: Client,
  resource: ConfigResource,
  options: RetryOptions = {},
): Promise<ConfigEntry[]> {
  return onResource(client, resource, options, async (connection) => {
    const { results } = await connection.request(
      describeConfigsClientApi,
      {
        resources: [
          { resourceType: resourceTypes[resource.type], resourceName: resource.name, configurationKeys: null },
        ],
        includeSynonyms: false,
        includeDocumentation: false,
      },
      { signal: options.signal },
    );
    return results.flatMap(({ errorCode, errorMessage, configs }) => {
      throwUnlessNone(errorCode, `the settings of ${resource.type} ${resource.name}`, errorMessage);
      return configs.map(({ name, value, readOnly, configSource }) => ({
        name,
        value,
        isReadOnly: readOnly,
        isDefault: configSource === defaultConfigSource,
      }));
    });
  });
}

/** Changes settings of a topic or broker; null goes back to the default. */
export async function alterConfigs(
  client: Client,
  resource: ConfigResource,
  changes: Readonly<Record<string, string | null>>,
  options: RetryOptions = {},
): Promise<void> {
  await onResource(client, resource, options, async (connection) => {
    const { responses } = await connection.request(
      incrementalAlterConfigsClientApi,
      {
        resources: [
          {
            resourceType: resourceTypes[resource.type],
            resourceName: resource.name,
            configs: Object.entries(changes).map(([name, value]) => ({
              name,
              configOperation: value === null ? deleteConfig : setConfig,
              value,
            })),
          },
        ],
        validateOnly: false,
      },
      { signal: options.signal },
    );
    for (const { errorCode, errorMessage } of responses) {
      throwUnlessNone(errorCode, `settings of ${resource.type} ${resource.name}`, errorMessage);
    }
  });
}

/** The groups of all brokers. */
export async function listGroups(client: Client, options: RetryOptions = {}): Promise<GroupListing[]> {
  const { cluster } = client;
  return cluster.retrying(async () => {
    await cluster.refresh([]);
    const listings: GroupListing[] = [];
    for (const { nodeId } of cluster.nodes) {
      const connection = await cluster.connection(nodeId, mainLane, options.signal);
      const request = { statesFilter: [], typesFilter: [] };
      const { errorCode, groups } = await connection.request(listGroupsClientApi, request, { signal: options.signal });
      throwUnlessNone(errorCode, 'the list of groups');
      for (const { groupId, protocolType, groupState } of groups) {
        listings.push({ group: groupId, protocolType, state: groupState });
      }
    }
    return listings;
  }, options);
}

/** A group with its members; a group that does not exist has the state `Dead`. */
export async function describeGroup(
  client: Client,
  group: string,
  options: RetryOptions = {},
): Promise<GroupDescription> {
  return onCoordinator(client, group, options, async (connection) => {
    const { groups } = await connection.request(
      describeGroupsClientApi,
      { ...defaultDescribeGroupsRequest(), groups: [group] },
      // From 6 on a group that is not there is an error.
      { signal: options.signal, maxVersion: 5 },
    );
    const [found] = groups;
    throwUnlessNone(found?.errorCode ?? ErrorCode.GROUP_ID_NOT_FOUND, `group ${group}`);
    const { protocolType, groupState, protocolData, members } = found!;
    return {
      group,
      protocolType,
      state: groupState,
      protocol: protocolData,
      members: members.map(({ memberId, clientId, clientHost, memberAssignment }) => ({
        memberId,
        clientId,
        clientHost,
        assignment: protocolType === 'consumer' ? decodeAssignment(memberAssignment) : [],
      })),
    };
  });
}

/** Deletes groups without members, with their positions. */
export async function deleteGroups(
  client: Client,
  groups: readonly string[],
  options: RetryOptions = {},
): Promise<void> {
  for (const group of groups) {
    await onCoordinator(client, group, options, async (connection) => {
      const request = { groupsNames: [group] };
      const { results } = await connection.request(deleteGroupsClientApi, request, { signal: options.signal });
      for (const { errorCode, errorMessage } of results) {
        throwUnlessNone(errorCode, `to delete group ${group}`, errorMessage);
      }
    });
  }
}

/** All positions of a group. */
export async function groupOffsets(
  client: Client,
  group: string,
  options: RetryOptions = {},
): Promise<TopicPartitionOffset[]> {
  return onCoordinator(client, group, options, async (connection) => {
    const committed = await fetchCommitted(connection, group, null, 'read_uncommitted', options.signal);
    return [...committed.values()];
  });
}

/** Moves a group's positions while it has no members. */
export async function setGroupOffsets(
  client: Client,
  group: string,
  offsets: readonly CommittedOffset[],
  options: RetryOptions = {},
): Promise<void> {
  await onCoordinator(client, group, options, (connection) =>
    commitOffsets(connection, group, offsets, nobody, options.signal),
  );
}

function onController<T>(
  { cluster }: Client,
  { once = false, ...options }: RetryOptions & { readonly once?: boolean },
  act: (connection: Connection) => Promise<T>,
): Promise<T> {
  const attempt = async (): Promise<T> => {
    await cluster.refresh([]);
    return act(await cluster.connection(cluster.controllerId, mainLane, options.signal));
  };
  return cluster.retrying(attempt, once ? { timeoutMs: 0, ...options } : options);
}

function onResource<T>(
  { cluster }: Client,
  { type, name }: ConfigResource,
  options: RetryOptions,
  act: (connection: Connection) => Promise<T>,
): Promise<T> {
  return cluster.retrying(
    async () => {
      if (type === 'topic') return act(await cluster.any(options.signal));
      await cluster.refresh([]);
      return act(await cluster.connection(Number(name), mainLane, options.signal));
    },
    { timeoutMs: 0, ...options },
  );
}

function onCoordinator<T>(
  { cluster }: Client,
  group: string,
  options: RetryOptions,
  act: (connection: Connection) => Promise<T>,
): Promise<T> {
  return cluster.retrying(async () => {
    const coordinatorId = await cluster.coordinatorId(group, options.signal);
    return act(await cluster.connection(coordinatorId, mainLane, options.signal));
  }, options);
}
