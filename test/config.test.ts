/** Flags, environment and file: what wins, what is refused, and how each refusal reads. */

import { describe, expect, it } from 'vitest';
import { EnvironmentError, EnvironmentErrorCode } from '../src/base/environment-error.ts';
import {
  checkOptions,
  gatherOptions,
  parseCommandLine,
  type BrokerOptions,
  type ProgramOptions,
} from '../src/config.ts';

function gather(
  args: readonly string[],
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): ProgramOptions {
  const line = parseCommandLine(args);
  if (line.kind !== 'start') throw new Error(`it is ${line.kind}`);
  return gatherOptions(line.flags, environment, (path) => files[path] ?? null);
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    expect((error as EnvironmentError).code).toBe(EnvironmentErrorCode.CONFIG_INVALID);
    return (error as EnvironmentError).message;
  }
  throw new Error('nothing was refused');
}

describe('the command line', () => {
  it('starts a broker where nothing is said', () => {
    const { options, logLevel, unknown } = gather([]);
    expect(options).toEqual({ allowUnauthenticated: false, settings: {} });
    expect({ logLevel, unknown }).toEqual({ logLevel: 'info', unknown: [] });
  });

  it('takes every flag, with a space or an equals sign', () => {
    const { options, logLevel } = gather([
      '--data=/d',
      '--kafka',
      '127.0.0.1:0',
      '--http=off',
      '--set',
      'log.retention.ms=5',
      '--set=num.partitions=3',
      '--allow-unauthenticated',
      '--log-level',
      'debug',
    ]);
    expect(options).toEqual({
      data: '/d',
      kafka: '127.0.0.1:0',
      http: 'off',
      allowUnauthenticated: true,
      settings: { 'log.retention.ms': '5', 'num.partitions': '3' },
    });
    expect(logLevel).toBe('debug');
  });

  it.each([
    [['--help'], { kind: 'help' }],
    [['-h'], { kind: 'help' }],
    [['--data', 'x', '--version'], { kind: 'version' }],
    [['-v'], { kind: 'version' }],
    [['verify', '--json', 'DIR'], { kind: 'command', name: 'verify', args: ['--json', 'DIR'] }],
  ])('reads %j', (args, expected) => {
    expect(parseCommandLine(args)).toEqual(expected);
  });

  it.each([
    [['--dta', 'x'], 'There is no option --dta: see millrace --help.'],
    [['-x'], 'There is no option -x: see millrace --help.'],
    [['--toString'], 'There is no option --toString: see millrace --help.'],
    [['--data'], 'The option --data needs a value: see millrace --help.'],
    [['--data='], 'The option --data needs a value: see millrace --help.'],
    [['--allow-unauthenticated=yes'], 'The option --allow-unauthenticated takes no value: see millrace --help.'],
    [['--data', 'x', 'y'], 'The argument "y" belongs to no option: see millrace --help.'],
    [['--set', 'novalue'], '--set novalue is not KEY=VALUE: see millrace --help.'],
    [['--set', '=1'], '--set =1 is not KEY=VALUE: see millrace --help.'],
    [['--set', 'log.retention=1'], '--set log.retention: there is no such setting: see millrace --help.'],
    [['--log-level', 'loud'], 'The log level "loud" does not exist: use debug, info, warn, error, silent.'],
    [['--config', 'none'], 'The settings file none does not exist: name one that does.'],
  ])('refuses %j', (args, message) => {
    expect(refusal(() => gather(args))).toBe(message);
  });

  it('says why a settings file cannot be read', () => {
    const line = parseCommandLine(['--config', '/secret']);
    if (line.kind !== 'start') throw new Error('it starts');
    const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
    const deny = (): never => {
      throw denied;
    };
    expect(refusal(() => gatherOptions(line.flags, {}, deny))).toBe(
      'The settings file /secret cannot be read (EACCES): name one that this user may read.',
    );
  });
});

describe('what wins', () => {
  const file = {
    'server.properties': 'millrace.data=/file\nmillrace.kafka=127.0.0.1:3\nlog.retention.ms=3\nnum.partitions=3',
  };

  it('is a flag over the environment over the file', () => {
    const environment = {
      MILLRACE_CONFIG: 'server.properties',
      MILLRACE_DATA: '/environment',
      MILLRACE_LOG_RETENTION_MS: '2',
    };
    const { options } = gather(['--data', '/flag'], environment, file);
    expect(options).toMatchObject({ data: '/flag', kafka: '127.0.0.1:3' });
    expect(options.settings).toEqual({ 'log.retention.ms': '2', 'num.partitions': '3' });
    expect(gather([], environment, file).options.data).toBe('/environment');
    expect(gather([], { MILLRACE_CONFIG: 'server.properties' }, file).options.data).toBe('/file');
    expect(gather(['--set', 'log.retention.ms=1'], environment, file).options.settings).toMatchObject({
      'log.retention.ms': '1',
    });
  });

  it('is a source over another, also where they use different names', () => {
    const files = { f: 'millrace.kafka=127.0.0.1:3\nmillrace.data=/file' };
    const flagged = gather(
      ['--config', 'f', '--set', 'listeners=PLAINTEXT://127.0.0.1:1', '--set', 'log.dirs=/d'],
      {},
      files,
    );
    expect(checkOptions(flagged.options)).toMatchObject({
      kafka: { host: '127.0.0.1', port: 1 },
      dataDirectory: '/d',
    });
    const own = gather(['--kafka', '127.0.0.1:2', '--set', 'listeners=PLAINTEXT://127.0.0.1:1'], {}, files);
    expect(checkOptions(own.options).kafka).toEqual({ host: '127.0.0.1', port: 2 });
  });

  it('knows every setting in the environment, and names what it does not know', () => {
    const { options, unknown, logLevel } = gather([], {
      MILLRACE_KAFKA: '127.0.0.1:1',
      MILLRACE_HTTP: 'off',
      MILLRACE_ALLOW_UNAUTHENTICATED: 'TRUE',
      MILLRACE_LOG_LEVEL: 'warn',
      MILLRACE_SYNC: 'interval',
      MILLRACE_MESSAGE_MAX_BYTES: '99',
      MILLRACE_EMPTY: '',
      MILLRACE_NONSENSE: '1',
      KAFKA_DATA: '1',
    });
    expect(options).toEqual({
      kafka: '127.0.0.1:1',
      http: 'off',
      allowUnauthenticated: true,
      settings: { 'millrace.sync': 'interval', 'message.max.bytes': '99' },
    });
    expect(logLevel).toBe('warn');
    expect(unknown).toEqual([{ name: 'MILLRACE_NONSENSE', source: 'the environment' }]);
  });

  it('takes a server.properties of Kafka, and names what it does not know', () => {
    const text = [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@localhost:9093',
      'listeners=PLAINTEXT://127.0.0.1:9095,CONTROLLER://:9093',
      'advertised.listeners=PLAINTEXT://kafka.example:9095,CONTROLLER://localhost:9093',
      'log.dirs=/var/kraft-logs',
      'log.retention.hours = 168',
      'zookeeper.connect=localhost:2181',
    ].join('\n');
    const { options, unknown } = gather(['--config', 'f'], {}, { f: text });
    expect(unknown).toEqual([{ name: 'zookeeper.connect', source: 'f' }]);
    const checked = checkOptions(options);
    expect(checked).toMatchObject({
      dataDirectory: '/var/kraft-logs',
      kafka: { host: '127.0.0.1', port: 9095 },
      advertisedKafka: { host: 'kafka.example', port: 9095 },
      advertisedHttp: null,
      httpNecessary: false,
    });
    expect(checked.settings.get('log.retention.hours')).toBe('168');
    expect(checked.settings.get('node.id')).toBe('1');
  });

  it('refuses what is neither true nor false', () => {
    expect(refusal(() => gather([], { MILLRACE_ALLOW_UNAUTHENTICATED: 'yes' }))).toBe(
      'MILLRACE_ALLOW_UNAUTHENTICATED is "yes": use true or false.',
    );
  });
});

describe('checkOptions', () => {
  it('fills in loopback addresses and ./millrace-data', () => {
    expect(checkOptions({})).toEqual({
      dataDirectory: './millrace-data',
      kafka: { host: '127.0.0.1', port: 9092 },
      http: { host: '127.0.0.1', port: 8080 },
      httpNecessary: false,
      advertisedKafka: null,
      advertisedHttp: null,
      settings: new Map([
        ['log.dirs', './millrace-data'],
        ['listeners', 'PLAINTEXT://127.0.0.1:9092'],
      ]),
    });
  });

  it('knows whether HTTP was asked for', () => {
    expect(checkOptions({ http: '127.0.0.1:0' }).httpNecessary).toBe(true);
    expect(checkOptions({ settings: { listeners: 'WS://127.0.0.1:0' } }).httpNecessary).toBe(true);
    expect(checkOptions({ http: 'off' })).toMatchObject({ http: null, httpNecessary: false });
  });

  it.each([
    ['9092', { host: '127.0.0.1', port: 9092 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['127.8.8.8:1', { host: '127.8.8.8', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
  ])('takes %s for an address of this machine', (kafka, expected) => {
    expect(checkOptions({ kafka }).kafka).toEqual(expected);
  });

  it.each(['0.0.0.0:1', '[::]:1', '192.168.1.1:1', 'example.org:1', 'localhost.example.org:1', '127.evil.org:1'])(
    'refuses %s unless that is said to be meant',
    (kafka) => {
      expect(refusal(() => checkOptions({ kafka }))).toBe(
        `The address ${kafka} of kafka can be reached from other machines, and Millrace asks nobody who they are: ` +
          'add --allow-unauthenticated if that is meant, or use 127.0.0.1.',
      );
      expect(refusal(() => checkOptions({ http: kafka }))).toContain(`The address ${kafka} of http`);
      expect(checkOptions({ kafka, http: '127.0.0.1:2', allowUnauthenticated: true }).kafka?.port).toBe(1);
    },
  );

  it('takes the empty host of a listener for every address, as Kafka does', () => {
    const options = { settings: { listeners: 'PLAINTEXT://:9092' } };
    expect(refusal(() => checkOptions(options))).toContain('The address 0.0.0.0:9092 of kafka');
    expect(checkOptions({ ...options, allowUnauthenticated: true }).kafka).toEqual({ host: '0.0.0.0', port: 9092 });
  });

  it('shows the address and directory that count as settings', () => {
    const { settings } = checkOptions({
      data: '/d',
      kafka: '[::1]:5',
      settings: { 'log.dir': '/e', listeners: 'PLAINTEXT://127.0.0.1:1', 'broker.id': '7' },
    });
    expect(Object.fromEntries(settings)).toEqual({
      'log.dirs': '/d',
      listeners: 'PLAINTEXT://[::1]:5',
      'broker.id': '7',
      'node.id': '7',
    });
  });

  it.each<[BrokerOptions, string]>([
    [{ kafka: 'off', http: 'off' }, 'Both kafka and http are off: nobody could reach the broker'],
    [{ kafka: '127.0.0.1:5', http: '127.0.0.1:5' }, 'kafka and http are both at port 5: give each a port of its own.'],
    [
      { kafka: '127.0.0.1:5', http: '0.0.0.0:5', allowUnauthenticated: true },
      'kafka and http are both at port 5: give each a port of its own.',
    ],
    [{ kafka: '127.0.0.1' }, 'kafka is "127.0.0.1", which is not HOST:PORT: write 127.0.0.1:9092, for example.'],
    [{ kafka: '127.0.0.1:65536' }, 'kafka is "127.0.0.1:65536", which is not HOST:PORT'],
    [{ kafka: ':9092' }, 'kafka is ":9092", which is not HOST:PORT'],
    [{ kafka: '::1:9092' }, 'kafka is "::1:9092", which is not HOST:PORT'],
    [{ http: 'http://localhost:1' }, 'http is "http://localhost:1", which is not HOST:PORT'],
    [{ data: ' ' }, 'The data directory has no name'],
    [{ settings: { nonsense: '1' } }, 'There is no setting nonsense'],
    [{ settings: { 'log.dirs': '/a,/b' } }, 'log.dirs is /a,/b, but Millrace keeps everything in one directory'],
    [{ settings: { listeners: 'SASL_SSL://127.0.0.1:1' } }, 'listeners has SASL_SSL://127.0.0.1:1, but there are only'],
    [{ settings: { 'advertised.listeners': 'x' } }, 'advertised.listeners has x, but there are only'],
    [{ settings: { 'advertised.listeners': 'PLAINTEXT://x' } }, 'advertised.listeners is "x", which is not HOST:PORT'],
    [{ settings: { 'advertised.listeners': 'PLAINTEXT://:9092' } }, 'advertised.listeners has 0.0.0.0:9092, where no'],
    [{ settings: { 'advertised.listeners': 'WS://[::]:8080' } }, 'advertised.listeners has [::]:8080, where no client'],
    [
      { settings: { 'advertised.listeners': 'PLAINTEXT://host:0' } },
      'advertised.listeners has host:0, where no client',
    ],
  ])('refuses %j', (options, message) => {
    expect(refusal(() => checkOptions(options))).toContain(message);
  });
});
