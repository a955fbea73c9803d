/**
 * Holds the schemas, line by line, against what Kafka 4.4's own client says of its messages, and the advertised
 * versions against what a default Kafka 4.4 advertises. The defaults are this project's addition and left aside.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apis } from '../../src/protocol/generated/index.ts';
import { parseSchema } from './schema.ts';

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** The facts of every message that brokers serve: [key, name, versions, the newest stable version, flexible, fields]. */
const facts = text('facts/kafka-4.4-messages.txt')
  .split(/\n(?=## )/)
  .slice(1)
  .flatMap((block) => {
    const [head = '', ...lines] = block.trimEnd().split('\n');
    const match =
      /^## (?<key>\d+) (?<name>\w+) {2}versions (?<versions>\S+)(?: \(stable to (?<stable>\d+)\))? {2}(?<flexible>flexible \S+|never flexible) {2}(?<listeners>.*)$/.exec(
        head,
      );
    if (match === null) throw new Error(`not the head of a message: ${head}`);
    const { key = '', name = '', versions = '', stable, flexible = '', listeners = '' } = match.groups!;
    return listeners.split(', ').includes('broker')
      ? [{ key: Number(key), name, versions, stable, flexible, lines }]
      : [];
  });

const folder = new URL('../../src/protocol/schemas/', import.meta.url);
const schemaFiles = readdirSync(folder);
const schemaLines = new Map(
  schemaFiles.map((file) => {
    const lines = text(`../../src/protocol/schemas/${file}`).split('\n');
    return [Number(/^api (\d+) /.exec(lines[0]!)![1]), lines] as const;
  }),
);

describe('the schemas', () => {
  it('are there for every key that brokers serve, and for no other', () => {
    expect([...schemaLines.keys()].toSorted((a, b) => a - b)).toEqual(facts.map(({ key }) => key));
    expect([...apis.keys()]).toEqual(facts.map(({ key }) => key));
  });

  it.each(facts)('$key $name agrees field by field', ({ key, name, versions, stable, flexible, lines }) => {
    const own = schemaLines.get(key)!;
    expect(own.slice(0, 3)).toEqual([
      `api ${key} ${name}`,
      `versions ${versions}${stable === undefined ? '' : ` stable to ${stable}`}`,
      flexible === 'never flexible' ? 'flexible never' : flexible,
    ]);
    const fields = own.slice(3).filter((line) => line !== '');
    expect(fields.map((line) => line.replace(/ {2}default \S+$/, ''))).toEqual(lines);

    const api = apis.get(key)!;
    const [from, to] = versions.split('-').map(Number);
    expect([api.name, api.minVersion, api.maxVersion, api.stableVersion]).toEqual([
      name,
      from,
      to,
      Number(stable ?? to),
    ]);
    expect(api.firstFlexibleVersion).toBe(flexible === 'never flexible' ? Infinity : Number(/\d+/.exec(flexible)![0]));
  });
});

describe('the versions', () => {
  it('are those that a default Kafka 4.4 advertises', () => {
    const theirs = text('facts/kafka-4.4-api-versions.txt')
      .split('\n')
      .flatMap((line) => {
        const match = /^\w+\((\d+)\): (\d+)(?: to (\d+))?$/.exec(line);
        if (match === null) {
          expect(line).toMatch(/^$|^#|UNSUPPORTED$/);
          return [];
        }
        return [{ apiKey: Number(match[1]), minVersion: Number(match[2]), maxVersion: Number(match[3] ?? match[2]) }];
      });
    expect(theirs.length).toBeGreaterThan(70);
    const ours = [...apis.values()]
      // Kafka tells telemetry only where something receives it.
      .filter(({ name }) => name !== 'GetTelemetrySubscriptions' && name !== 'PushTelemetry')
      // Of Produce it tells versions from 0 on, and serves them from 3 on.
      .map(({ apiKey, name, minVersion, stableVersion }) => ({
        apiKey,
        minVersion: name === 'Produce' ? 0 : minVersion,
        maxVersion: stableVersion,
      }));
    expect(ours).toEqual(theirs);
  });
});

describe('the parser', () => {
  const good = 'api 0 Produce\nversions 3-13\nflexible 9+\n\nrequest\n  acks: int16  3+\n\nresponse\n';

  it('reads a schema', () => {
    expect(parseSchema(good, 'a').request).toMatchObject([
      { name: 'acks', type: 'int16', versions: { from: 3, to: 13 } },
    ]);
  });

  it.each([
    ['an unknown type', good.replace('int16', 'int17')],
    ['one blank too few', good.replace('  acks', ' acks')],
    ['a level that is not open', good.replace('  acks', '    acks')],
    ['versions the API lacks', good.replace('3+', '0-2')],
    ['versions in reverse', good.replace('3+', '5-4')],
    ['the same name twice', good.replace('\n\nresponse', '\n  acks: int16  3+\n\nresponse')],
    ['a tag before flexible versions', good.replace('3+', '3+  tag 0 in 3+')],
    ['a tag in other versions than its field', good.replace('3+', '9+  tag 0 in 10+')],
    ['tags that do not start at 0', good.replace('3+', '9+  tag 1 in 9+')],
    ['records in a tagged field', good.replace('int16  3+', 'records  9+  tag 0 in 9+')],
    ['a struct without fields', good.replace('int16', 'struct')],
    ['a default that is none', good.replace('3+', '3+  default x')],
    ['words at the end', good.replace('3+', '3+ and more')],
    ['no response', good.replace('response\n', '')],
    ['no head', good.replace('flexible 9+', '')],
  ])('refuses %s, naming the line', (_what, schema) => {
    expect(() => parseSchema(schema, 'file.txt')).toThrow(/^file\.txt:\d+: /);
  });
});
