/**
 * What clients of Confluent's REST Proxy, version 3 of its interface, ask before they produce: which cluster there is, and
 * which topics it has. I/O thread. Source: the public reference of that interface. Links are given to what is served here
 * alone.
 */

import type { HttpRequest } from 'uWebSockets.js';
import { ErrorCode } from '../../base/error-code.ts';
import { AclOperation } from '../../broker/authorizer.ts';
import type { Broker } from '../../broker/broker.ts';
import type { TopicImage } from '../../broker/metadata-image.ts';
import { isInternalTopic, isStateLogTopic } from '../../broker/topic-name.ts';
import { shown } from '../http-api/arguments.ts';
import type { Exchange } from '../http-api/exchange.ts';
import type { JsonSchema, OperationShape, Parameter } from '../http-api/operation.ts';
import type { Operation } from '../http-api/operations-part.ts';
import { problemOf, proxyCode } from '../http-api/problem.ts';
import { topicPath } from '../http-ingest/ingest-shapes.ts';

const text: JsonSchema = { type: 'string' };
const integer: JsonSchema = { type: 'integer', minimum: 0 };
const clusterPath: Parameter = {
  name: 'cluster_id',
  in: 'path',
  required: true,
  description: 'As the list of clusters has it.',
  schema: text,
};

function objectOf(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

const related = objectOf({ related: text });
const cluster = objectOf({
  kind: text,
  metadata: objectOf({ self: text, resource_name: text }),
  cluster_id: text,
  topics: related,
});
const topic = objectOf({
  kind: text,
  metadata: objectOf({ self: text, resource_name: text }),
  cluster_id: text,
  topic_name: text,
  is_internal: { type: 'boolean' },
  replication_factor: integer,
  partitions_count: integer,
});
const listOf = (item: JsonSchema): JsonSchema =>
  objectOf({
    kind: text,
    metadata: objectOf({ self: text, next: { type: ['string', 'null'] } }),
    data: { type: 'array', items: item },
  });

function get(
  path: string,
  id: string,
  summary: string,
  parameters: readonly Parameter[],
  schema: JsonSchema,
  serve: Operation['serve'],
): Operation {
  const responses: OperationShape['responses'] = {
    200: { description: summary, content: { 'application/json': schema } },
  };
  return { method: 'get', path, id, summary, parameters, responses, problems: [404], serve };
}

/** The operations of that interface that read. */
export function proxyClusterOperations(broker: Broker): Operation[] {
  const { clusterId } = broker;
  const name = `crn:///kafka=${clusterId}`;
  const clusterAt = (base: string): object => ({
    kind: 'KafkaCluster',
    metadata: { self: `${base}/v3/clusters/${clusterId}`, resource_name: name },
    cluster_id: clusterId,
    topics: { related: `${base}/v3/clusters/${clusterId}/topics` },
  });
  const topicAt = (base: string, { name: topicName, partitionCount }: TopicImage): object => ({
    kind: 'KafkaTopic',
    metadata: {
      self: `${base}/v3/clusters/${clusterId}/topics/${topicName}`,
      resource_name: `${name}/topic=${topicName}`,
    },
    cluster_id: clusterId,
    topic_name: topicName,
    is_internal: isInternalTopic(topicName),
    replication_factor: 1,
    partitions_count: partitionCount,
  });
  const list = (kind: string, self: string, data: readonly object[]): object => ({
    kind,
    metadata: { self, next: null },
    data,
  });
  /** Whether the cluster in the path is this one; else the exchange has failed. */
  const isHere = (exchange: Exchange): boolean => {
    exchange.proxyErrors = true;
    const given = exchange.args.text('cluster_id')!;
    if (given === clusterId) return true;
    const detail = `There is no cluster ${shown(given)}; this one is ${clusterId}.`;
    exchange.fail({ ...problemOf(ErrorCode.INVALID_REQUEST, detail, 404), proxyCode: 404 });
    return false;
  };
  const topicName: Parameter = { ...topicPath, name: 'topic_name' };
  return [
    get('/v3/clusters', 'listClustersV3', 'List the one cluster', [], listOf(cluster), (exchange, request) => {
      const base = baseOf(request);
      exchange.answerJson(200, list('KafkaClusterList', `${base}/v3/clusters`, [clusterAt(base)]));
    }),
    get(
      '/v3/clusters/{cluster_id}',
      'getClusterV3',
      'Describe the cluster',
      [clusterPath],
      cluster,
      (exchange, request) => {
        if (isHere(exchange)) exchange.answerJson(200, clusterAt(baseOf(request)));
      },
    ),
    get(
      '/v3/clusters/{cluster_id}/topics',
      'listTopicsV3',
      'List its topics',
      [clusterPath],
      listOf(topic),
      (exchange, request) => {
        if (!isHere(exchange)) return;
        const base = baseOf(request);
        const { caller } = exchange;
        const topics = [...broker.topics.image.topics()].filter(
          (each) => !isStateLogTopic(each.name) && caller.allows(AclOperation.DESCRIBE, each.name),
        );
        const self = `${base}/v3/clusters/${clusterId}/topics`;
        const data = topics.map((each) => topicAt(base, each));
        exchange.answerJson(200, list('KafkaTopicList', self, data));
      },
    ),
    get(
      '/v3/clusters/{cluster_id}/topics/{topic_name}',
      'getTopicV3',
      'Describe a topic',
      [clusterPath, topicName],
      topic,
      (exchange, request) => {
        if (!isHere(exchange)) return;
        const wanted = exchange.args.text('topic_name')!;
        const forbidden = exchange.caller.problemOf(AclOperation.DESCRIBE, wanted);
        if (forbidden !== null) return exchange.fail(problemOf(forbidden.errorCode, forbidden.message));
        const found = isStateLogTopic(wanted) ? null : broker.topics.topic(wanted);
        if (found !== null) return exchange.answerJson(200, topicAt(baseOf(request), found));
        const problem = problemOf(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${shown(wanted)}.`);
        exchange.fail({ ...problem, proxyCode: proxyCode.topicOrPartitionV3 });
      },
    ),
  ];
}

/** By which name the client reached the server. */
function baseOf(request: HttpRequest): string {
  return `http://${request.getHeader('host')}`;
}
