/**
 * DescribeConfigs: the settings of topics, of this broker, of all brokers, of its loggers, of groups and of subscriptions of
 * client metrics. I/O thread. What is secret is never told.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeConfigsResponse,
  type DescribeConfigsRequest,
  type DescribeConfigsRequestResources,
  type DescribeConfigsResponse,
  type DescribeConfigsResponseResults,
  type DescribeConfigsResponseResultsConfigs,
} from '../../protocol/generated/index.ts';
import { AclOperation } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { configTypeCodes } from '../config-definition.ts';
import {
  brokerConfigEntries,
  clientMetricsEntries,
  clusterConfigEntries,
  groupConfigEntries,
  loggerEntries,
  topicConfigEntries,
  type ConfigEntry,
} from '../config-entries.ts';
import { ConfigResource, invalidRequest, problemOfBrokerName, refusalOfConfigs } from '../config-resource.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import type { ChangeResult } from '../topic-catalog.ts';
import { problemOfTopicName } from '../topic-name.ts';

export const describeConfigsHandler: ApiHandler<DescribeConfigsRequest, DescribeConfigsResponse> = {
  apiKey: 32,
  handle(request, context, broker) {
    let entryCount = 0;
    const described = new Map<string, DescribeConfigsResponseResults>();
    const results: DescribeConfigsResponseResults[] = [];
    for (const resource of request.resources) {
      // What is asked for several times is looked up once, and told each time.
      const { resourceType, resourceName, configurationKeys } = resource;
      const key = `${resourceType} ${resourceName} ${configurationKeys?.join(' ') ?? ''}`;
      const known = described.get(key);
      const result =
        entryCount > maxEntries ? tooMuch(resource) : (known ?? describe(resource, request, context, broker));
      if (known === undefined) described.set(key, result);
      entryCount += result.configs.length;
      results.push(result);
    }
    return { ...defaultDescribeConfigsResponse(), results };
  },
};

/** From so many settings on a response takes no further resource: a request of some bytes could ask for gigabytes. */
const maxEntries = 200_000;

function tooMuch({ resourceType, resourceName }: DescribeConfigsRequestResources): DescribeConfigsResponseResults {
  const { errorCode, message } = invalidRequest('The response is large enough: describe fewer resources at once.');
  return { errorCode, errorMessage: message, resourceType, resourceName, configs: [] };
}

function describe(
  { resourceType, resourceName, configurationKeys }: DescribeConfigsRequestResources,
  request: DescribeConfigsRequest,
  context: RequestContext,
  broker: Broker,
): DescribeConfigsResponseResults {
  const forbidden = refusalOfConfigs(resourceType, resourceName, AclOperation.DESCRIBE_CONFIGS, context, broker);
  const found = forbidden ?? entriesOf(resourceType, resourceName, broker);
  if ('errorCode' in found) {
    const { errorCode, message } = found;
    return { errorCode, errorMessage: message, resourceType, resourceName, configs: [] };
  }
  // No keys means all keys, as does a list without any.
  const keys = configurationKeys === null || configurationKeys.length === 0 ? null : new Set(configurationKeys);
  const configs = found
    .filter(({ name }) => keys === null || keys.has(name))
    .map((entry) => configResponse(entry, request));
  return { errorCode: ErrorCode.NONE, errorMessage: '', resourceType, resourceName, configs };
}

function entriesOf(resourceType: number, name: string, broker: Broker): readonly ConfigEntry[] | ChangeResult {
  switch (resourceType) {
    case ConfigResource.TOPIC: {
      const problem = problemOfTopicName(name);
      if (problem !== null) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: problem };
      const topic = broker.topics.topic(name);
      if (topic !== null) return topicConfigEntries(topic.configs, broker.config);
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic '${name}' does not exist.` };
    }
    case ConfigResource.BROKER: {
      const problem = problemOfBrokerName(name, broker.nodeId, true);
      if (problem !== null) return problem;
      if (name === '') return clusterConfigEntries(broker.config.ofCluster);
      return brokerConfigEntries(broker.config);
    }
    case ConfigResource.BROKER_LOGGER:
      return problemOfBrokerName(name, broker.nodeId, false) ?? loggerEntries(broker.loggerLevels);
    case ConfigResource.GROUP:
      if (name === '') return invalidRequest('The name of a group must not be empty.');
      return groupConfigEntries(broker.topics.image.groupConfigs.of(name), broker.config);
    case ConfigResource.CLIENT_METRICS:
      if (name === '') return invalidRequest('The name of a subscription must not be empty.');
      return clientMetricsEntries(broker.topics.image.clientMetrics.of(name));
    default:
      return invalidRequest(`Resources of type ${resourceType} have no settings here.`);
  }
}

function configResponse(
  { name, value, source, isReadOnly, synonyms, definition }: ConfigEntry,
  { includeSynonyms, includeDocumentation }: DescribeConfigsRequest,
): DescribeConfigsResponseResultsConfigs {
  const isSensitive = definition.type === 'password';
  const told = synonyms.map((synonym) => (isSensitive ? { ...synonym, value: null } : synonym));
  return {
    name,
    value: isSensitive ? null : value,
    readOnly: isReadOnly,
    configSource: source,
    isSensitive,
    synonyms: includeSynonyms ? told : [],
    configType: configTypeCodes[definition.type],
    documentation: includeDocumentation ? definition.documentation : null,
  };
}
