/**
 * Holds what a client hears who may not do everything against what an Apache Kafka with its StandardAuthorizer said to
 * the same requests. Recorded anew with `npm run test:oracle -- --authorizer`; requests and rules stand in
 * scripts/oracle-authorizer-steps.mjs. The broker is in memory, without a port, and has an authorizer that reads those
 * rules as Kafka reads its access control lists.
 */

import { expect, test } from 'vitest';
import { AclOperation, type AclResource, type Authorizer } from '../../src/broker/authorizer.ts';
import { apis } from '../../src/protocol/generated/index.ts';
import { ConnectionMustClose } from '../../src/broker/request-context.ts';
import { BrokerHarness } from '../broker/broker-harness.ts';

interface Rule {
  readonly resource: AclResource;
  readonly name: string;
  readonly operation: number;
  readonly isAllowed: boolean;
}

interface Client {
  ask(apiKey: number, version: number, fields: object): Promise<unknown>;
  close(): void;
}

interface Oracle {
  readonly authorizerScenario: { readonly name: string };
  answersOf(scenario: object, address: string, options: object): Promise<ReadonlyMap<string, unknown>>;
  differences(kafka: unknown, millrace: unknown): Iterable<[string, unknown, unknown]>;
  reasonFor(label: string, path: string): string | undefined;
  readRecord(scenario: string): ReadonlyMap<string, unknown> | null;
}

async function load(): Promise<Oracle> {
  const names = ['authorizer-steps', 'answers', 'expected', 'record'];
  const paths: string[] = names.map((name) => new URL(`../../scripts/oracle-${name}.mjs`, import.meta.url).href);
  return Object.assign({}, ...(await Promise.all(paths.map((path) => import(path)))));
}

const all = 2;
/** What allows to describe as well. */
const describing: readonly number[] = [AclOperation.READ, AclOperation.WRITE, AclOperation.DELETE, AclOperation.ALTER];

/** As Kafka's StandardAuthorizer with `allow.everyone.if.no.acl.found`, for rules that are for everybody. */
class RuledAuthorizer implements Authorizer {
  readonly #rules: Rule[] = [];

  add(rules: readonly Rule[]): void {
    this.#rules.push(...rules);
  }

  allows(...[, operation, resource, name]: Parameters<Authorizer['allows']>): boolean {
    const rules = this.#rules.filter((rule) => rule.resource === resource && rule.name === name);
    if (rules.length === 0) return true;
    const matches = (rule: Rule): boolean => rule.operation === all || rule.operation === operation;
    if (rules.some((rule) => !rule.isAllowed && matches(rule))) return false;
    return rules.some((rule) => rule.isAllowed && (matches(rule) || implies(rule.operation, operation)));
  }

  allowsOnAny(): boolean {
    return true;
  }
}

function implies(allowed: number, operation: number): boolean {
  if (operation === AclOperation.DESCRIBE) return describing.includes(allowed);
  return operation === AclOperation.DESCRIBE_CONFIGS && allowed === AclOperation.ALTER_CONFIGS;
}

function clientOf(harness: BrokerHarness): Client {
  return {
    async ask(apiKey, version, fields) {
      try {
        return await harness.request(apis.get(apiKey)!, version, fields);
      } catch (error) {
        if (error instanceof ConnectionMustClose) return 'closed';
        throw error;
      }
    },
    close() {},
  };
}

test('an authorizer that refuses is heard as Kafka has it', async () => {
  const { authorizerScenario: scenario, ...oracle } = await load();
  const recorded = oracle.readRecord(scenario.name);
  if (recorded === null) throw new Error('Kafka was not recorded: npm run test:oracle -- --authorizer');
  const authorizer = new RuledAuthorizer();
  const harness = await BrokerHarness.open({ authorizer });
  const answers = await oracle.answersOf(scenario, '', {
    ...{ runId: 'recorded', settles: false },
    rule: (_client: Client, rules: readonly Rule[]) => authorizer.add(rules),
    connect: () => clientOf(harness),
  });
  expect([...answers.keys()].toSorted()).toEqual([...recorded.keys()].toSorted());
  const unexpected = [];
  for (const [label, theirs] of recorded) {
    for (const [path, kafka, millrace] of oracle.differences(theirs, answers.get(label))) {
      if (oracle.reasonFor(`${scenario.name} ${label}`, path) === undefined) {
        unexpected.push({ label, path, kafka, millrace });
      }
    }
  }
  expect(unexpected).toEqual([]);
});
