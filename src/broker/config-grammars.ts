/**
 * What is wrong with settings whose text is more than one value, for the tables that define them. Any thread. Each function
 * takes a checked text, and returns the end of a sentence, or null. It uses none of what the texts say.
 */

import { parseAddressCounts } from './address-counts.ts';
import { configList } from './config-definition.ts';

const replicaPattern = /^\d+:\d+$/;
const securityProtocols: ReadonlySet<string> = new Set(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']);
const assignors: ReadonlySet<string> = new Set(['uniform', 'range']);
/** The same two by the names of Kafka's classes, as its documentation had them before it named them shorter. */
const assignorsByClass: ReadonlyMap<string, string> = new Map([
  ['org.apache.kafka.coordinator.group.assignor.UniformAssignor', 'uniform'],
  ['org.apache.kafka.coordinator.group.assignor.RangeAssignor', 'range'],
]);

/** Of counts by address: `192.0.2.1:100,localhost:5`. */
export function problemOfAddressCounts(text: string): string | null {
  return parseAddressCounts(text).problem;
}

/** Of replicas whose replication is throttled: `*` for all, or partitions with their brokers. */
export function problemOfThrottledReplicas(text: string): string | null {
  const replicas = configList(text).filter((replica) => replica !== '');
  if (replicas.length === 1 && replicas[0] === '*') return null;
  const stranger = replicas.find((replica) => !replicaPattern.test(replica));
  if (stranger === undefined) return null;
  return `'${stranger}' is no replica as partition:broker, such as 0:1, and only * alone stands for all`;
}

/** Of the protocols of listeners: `INTERNAL:PLAINTEXT,OUTSIDE:SSL`. */
export function problemOfProtocolMap(text: string): string | null {
  for (const pair of configList(text).filter((one) => one !== '')) {
    const colon = pair.lastIndexOf(':');
    if (colon <= 0) return `'${pair.trim()}' is no pair of a listener and its protocol, such as PLAINTEXT:PLAINTEXT`;
    const protocol = pair.slice(colon + 1).trim();
    // Capitals and small letters are alike, as in Kafka.
    if (!securityProtocols.has(protocol.toUpperCase())) {
      return `'${protocol}' is no security protocol: there are ${[...securityProtocols].join(', ')}`;
    }
  }
  return null;
}

/** Of the assignors of consumer groups, of which the first that is known here counts. */
export function problemOfAssignors(text: string): string | null {
  if (configList(text).some((name) => assignors.has(assignorName(name)))) return null;
  return `None of these assignors is known here: there are ${[...assignors].join(' and ')}`;
}

/** The name that members ask for an assignor with, of one in the setting; of a stranger's what stands there. */
export function assignorName(name: string): string {
  return assignorsByClass.get(name) ?? name;
}

/** Of the origins of web pages: `https://shop.example,http://localhost:3000`, or `*` for all. */
export function problemOfOrigins(text: string): string | null {
  const stranger = configList(text).find(
    (one) => one !== '*' && !(URL.canParse(one) && new URL(one).origin !== 'null'),
  );
  return stranger === undefined ? null : `'${stranger}' is no origin of a web page, such as https://shop.example`;
}
