/**
 * Holds Millrace's answers against those that Apache Kafka gave to the same requests, field by field, without Java. What
 * may differ is what may when both run (scripts/oracle-expected.mjs). Recorded anew with
 * `npm run test:oracle -- --record [--only SCENARIO]`; the requests stand in scripts/oracle-steps.mjs.
 *
 * Each scenario has a broker of its own, in memory, whose port its requests come over. Scenarios wait for what a broker
 * does only once in a while, so several run at once.
 */

import { expect, test } from 'vitest';
import { startBroker, type RunningBroker } from '../../src/index.ts';
import { formatDoorAddress } from '../../src/program/door-address.ts';

interface Scenario {
  readonly name: string;
  /** Its answers hang on when it asks, and are not recorded. */
  readonly isTimed?: boolean;
}
type Answers = ReadonlyMap<string, unknown>;
interface ApiVersions {
  readonly apiKeys: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[];
}
interface Oracle {
  readonly OracleClient: new (address: string) => { ask(...request: unknown[]): Promise<unknown>; close(): void };
  readonly scenarios: readonly Scenario[];
  readonly millraceSettings: Readonly<Record<string, string>>;
  answersOf(scenario: Scenario, address: string, options: object): Promise<Answers>;
  differences(kafka: unknown, millrace: unknown): Iterable<[string, unknown, unknown]>;
  reasonFor(label: string, path: string): string | undefined;
  readRecord(scenario: string): Answers | null;
}

/** The scripts are programs without types of their own. */
async function load(): Promise<Oracle> {
  const names = ['client', 'steps', 'settings', 'answers', 'expected', 'record'];
  const paths: string[] = names.map((name) => new URL(`../../scripts/oracle-${name}.mjs`, import.meta.url).href);
  return Object.assign({}, ...(await Promise.all(paths.map((path) => import(path)))));
}

const oracle = await load();
/** `KEY vVERSION` of all that was asked. */
const asked = new Set<string>();
const onAsk = (apiKey: number, version: number): void => void asked.add(`${apiKey} v${version}`);
const runId = 'recorded';

const start = (): Promise<RunningBroker> =>
  startBroker({ storage: 'memory', kafka: '127.0.0.1:0', http: false, settings: oracle.millraceSettings });

test.concurrent.each(oracle.scenarios.filter(({ isTimed }) => isTimed !== true))('$name', async (scenario) => {
  const recorded = oracle.readRecord(scenario.name);
  const how = `record it with: npm run test:oracle -- --record --only '${scenario.name}'`;
  if (recorded === null) throw new Error(`Kafka's answers are not recorded; ${how}`);
  await using broker = await start();
  const address = formatDoorAddress(broker.kafka!);
  const answers = await oracle.answersOf(scenario, address, { runId, settles: false, onAsk });
  // Members that wait for each other are answered in any order.
  expect([...answers.keys()].toSorted(), how).toEqual([...recorded.keys()].toSorted());
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

test('every key and version that is told is compared', async () => {
  await using broker = await start();
  const client = new oracle.OracleClient(formatDoorAddress(broker.kafka!));
  const { apiKeys } = (await client.ask(18, 4, {})) as ApiVersions;
  client.close();
  const told = apiKeys.flatMap(({ apiKey, minVersion, maxVersion }) =>
    Array.from({ length: maxVersion - minVersion + 1 }, (_, i) => `${apiKey} v${minVersion + i}`),
  );
  const missing = told.filter((request) => !asked.has(request));
  expect(missing).toEqual([]);
});
