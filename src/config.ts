/**
 * What the program was asked to do: flags over MILLRACE_* variables over `--config FILE`, as one set of options. At the
 * start, any thread.
 *
 *                    flag                      environment                   file (server.properties)
 *   data directory   --data DIR                MILLRACE_DATA                 millrace.data, log.dirs, log.dir
 *   Kafka over TCP   --kafka HOST:PORT|off     MILLRACE_KAFKA                millrace.kafka, listeners: PLAINTEXT://…
 *   HTTP, WebSocket  --http HOST:PORT|off      MILLRACE_HTTP                 millrace.http, listeners: WS://…
 *                    --allow-unauthenticated   MILLRACE_ALLOW_UNAUTHENTICATED=true    millrace.allow.unauthenticated
 *                    --log-level LEVEL         MILLRACE_LOG_LEVEL            millrace.log.level
 *   any setting      --set retention.ms=…      MILLRACE_LOG_RETENTION_MS     log.retention.ms
 *
 * It reads words only; what they mean for a broker is checked by `checkOptions`, for embedders too.
 */

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from './base/environment-error.ts';
import { logLevels, type LogLevel } from './base/logger.ts';
import { brokerConfigByName } from './broker/broker-config.ts';
import {
  formatDoorAddress,
  isEveryAddress,
  isLoopback,
  parseDoorAddress,
  type DoorAddress,
} from './program/door-address.ts';
import { parseProperties } from './program/properties-file.ts';

/** What one asks of a broker, as text; the program and `startBroker` take the same. Nothing is necessary. */
export interface BrokerOptions {
  /** The data directory; default `./millrace-data`. */
  readonly data?: string;
  /** `HOST:PORT` for Kafka over TCP, where port 0 takes any free one, or `off`; default `127.0.0.1:9092`. */
  readonly kafka?: string;
  /** The same for HTTP and WebSocket; default `127.0.0.1:8080`, and left out where uWebSockets.js is missing. */
  readonly http?: string;
  /** Lets others than this machine reach the broker, though nobody has to say who they are. */
  readonly allowUnauthenticated?: boolean;
  /** Broker settings by Kafka's names, such as `log.retention.ms`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Options that make sense. */
export interface CheckedOptions {
  readonly dataDirectory: string;
  /** Null: the door stays shut. */
  readonly kafka: DoorAddress | null;
  readonly http: DoorAddress | null;
  /** Without uWebSockets.js there is no start, as HTTP was asked for. */
  readonly httpNecessary: boolean;
  readonly advertisedKafka: DoorAddress | null;
  readonly advertisedHttp: DoorAddress | null;
  /** For `BrokerConfig`. */
  readonly settings: ReadonlyMap<string, string>;
}

/** What the command line asks for. */
export type CommandLine =
  | { readonly kind: 'start'; readonly flags: Flags }
  | { readonly kind: 'help' | 'version' }
  | { readonly kind: 'command'; readonly name: string; readonly args: readonly string[] };

/** Flags as they were given. */
export interface Flags {
  readonly config?: string;
  readonly given: Given;
}

/** What one source of options says. */
export interface Given {
  data?: string;
  kafka?: string;
  http?: string;
  allowUnauthenticated?: string;
  logLevel?: string;
  readonly settings: Map<string, string>;
}

export interface ProgramOptions {
  readonly options: BrokerOptions;
  readonly logLevel: LogLevel;
  /** Names that mean nothing, each with where it stands. */
  readonly unknown: readonly { readonly name: string; readonly source: string }[];
}

const flags = {
  data: { type: 'string' },
  kafka: { type: 'string' },
  http: { type: 'string' },
  config: { type: 'string' },
  set: { type: 'string', multiple: true },
  'allow-unauthenticated': { type: 'boolean' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies ParseArgsConfig['options'];

/** Reads the arguments behind the program's name. Throws `EnvironmentError` CONFIG_INVALID. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const [first, ...rest] = args;
  if (first !== undefined && !first.startsWith('-')) return { kind: 'command', name: first, args: rest };
  const { tokens } = parseArgs({ args: [...args], options: flags, strict: false, tokens: true });
  const given: Given = { settings: new Map() };
  let config: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') throw invalid(`The argument ${JSON.stringify(token.value)} belongs to no option`);
    if (token.kind === 'option-terminator') continue;
    const { name, rawName, value } = token;
    if (!Object.hasOwn(flags, name)) throw invalid(`There is no option ${rawName}`);
    const { type } = flags[name as keyof typeof flags];
    if (type === 'boolean' && value !== undefined) throw invalid(`The option ${rawName} takes no value`);
    if (type === 'string' && (value === undefined || value === ''))
      throw invalid(`The option ${rawName} needs a value`);
    if (name === 'help' || name === 'version') return { kind: name };
    if (name === 'config') config = value;
    else if (name === 'set') given.settings.set(...settingOf(value!));
    else if (name === 'allow-unauthenticated') given.allowUnauthenticated = 'true';
    else if (name === 'log-level') given.logLevel = value!;
    else given[name as 'data' | 'kafka' | 'http'] = value!;
  }
  return { kind: 'start', flags: { given, ...(config === undefined ? {} : { config }) } };
}

/**
 * Joins flags, environment and file. `readFile` gives the text of a file, or null where there is none.
 * Throws `EnvironmentError` CONFIG_INVALID.
 */
export function gatherOptions(
  { given, config }: Flags,
  environment: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string | null,
): ProgramOptions {
  for (const name of given.settings.keys()) {
    if (!brokerConfigByName.has(name)) throw invalid(`--set ${name}: there is no such setting`);
  }
  const unknown: { name: string; source: string }[] = [];
  const fromEnvironment = readEnvironment(environment, (name) => unknown.push({ name, source: 'the environment' }));
  const path = config ?? nonEmpty(environment['MILLRACE_CONFIG']);
  const sources = [spread({ ...given, settings: new Map(given.settings) }), fromEnvironment];
  if (path !== undefined) {
    const text = readConfigFile(path, readFile);
    sources.push(readFileEntries(text, (name) => unknown.push({ name, source: path })));
  }
  const [data, kafka, http, allow, logLevel] = (
    ['data', 'kafka', 'http', 'allowUnauthenticated', 'logLevel'] as const
  ).map((name) => sources.find((source) => source[name] !== undefined)?.[name]);
  return {
    options: {
      ...(data === undefined ? {} : { data }),
      ...(kafka === undefined ? {} : { kafka }),
      ...(http === undefined ? {} : { http }),
      allowUnauthenticated: booleanOf(allow ?? 'false', 'MILLRACE_ALLOW_UNAUTHENTICATED'),
      settings: Object.fromEntries(sources.toReversed().flatMap((source) => [...source.settings])),
    },
    logLevel: logLevelOf(logLevel ?? 'info'),
    unknown,
  };
}

/**
 * Checks `options` and fills in what they leave open. `needsDoor`: somebody must be able to reach the broker. Throws
 * `EnvironmentError` CONFIG_INVALID.
 */
export function checkOptions(options: BrokerOptions, needsDoor = true): CheckedOptions {
  const { data, kafka, http, allowUnauthenticated = false } = options;
  for (const name of Object.keys(options.settings ?? {})) {
    if (!brokerConfigByName.has(name)) throw invalid(`There is no setting ${name}`);
  }
  const given = spread({
    ...(data === undefined ? {} : { data }),
    ...(kafka === undefined ? {} : { kafka }),
    ...(http === undefined ? {} : { http }),
    settings: new Map(Object.entries(options.settings ?? {})),
  });
  const dataDirectory = given.data ?? './millrace-data';
  if (dataDirectory.trim() === '') throw invalid('The data directory has no name');
  const kafkaDoor = doorOf('kafka', given.kafka ?? '127.0.0.1:9092', allowUnauthenticated);
  const httpDoor = doorOf('http', given.http ?? '127.0.0.1:8080', allowUnauthenticated);
  if (kafkaDoor === null && httpDoor === null && needsDoor)
    throw invalid('Both kafka and http are off: nobody could reach the broker');
  if (kafkaDoor !== null && httpDoor !== null && collide(kafkaDoor, httpDoor)) {
    throw invalid(`kafka and http are both at port ${kafkaDoor.port}`, 'give each a port of its own');
  }
  const { settings } = given;
  const advertised = listenersIn(settings.get('advertised.listeners') ?? '', 'advertised.listeners');
  const olderNodeId = settings.get('broker.id');
  if (olderNodeId !== undefined && olderNodeId !== '-1' && !settings.has('node.id')) {
    settings.set('node.id', olderNodeId);
  }
  // DescribeConfigs shows what counts.
  settings.set('log.dirs', dataDirectory);
  if (kafkaDoor !== null) settings.set('listeners', `PLAINTEXT://${formatDoorAddress(kafkaDoor)}`);
  return {
    dataDirectory,
    kafka: kafkaDoor,
    http: httpDoor,
    httpNecessary: httpDoor !== null && given.http !== undefined,
    advertisedKafka: advertised.kafka === undefined ? null : advertisedAddressOf(advertised.kafka),
    advertisedHttp: advertised.http === undefined ? null : advertisedAddressOf(advertised.http),
    settings,
  };
}

const ownNames: Readonly<Record<string, Exclude<keyof Given, 'settings'>>> = {
  'millrace.data': 'data',
  'millrace.kafka': 'kafka',
  'millrace.http': 'http',
  'millrace.allow.unauthenticated': 'allowUnauthenticated',
  'millrace.log.level': 'logLevel',
};

/** `log.retention.ms` as MILLRACE_LOG_RETENTION_MS, `millrace.sync` as MILLRACE_SYNC. */
function variableOf(name: string): string {
  return `MILLRACE_${name
    .replace(/^millrace\./, '')
    .toUpperCase()
    .replaceAll(/[.-]/g, '_')}`;
}

function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  unknown: (name: string) => void,
): Given {
  const given: Given = { settings: new Map() };
  const names = new Map(
    [...brokerConfigByName.keys(), ...Object.keys(ownNames)].map((name) => [variableOf(name), name]),
  );
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('MILLRACE_') || variable === 'MILLRACE_CONFIG' || nonEmpty(value) === undefined) continue;
    const name = names.get(variable);
    if (name === undefined) unknown(variable);
    else take(given, name, value!);
  }
  return spread(given);
}

function readFileEntries(text: string, unknown: (name: string) => void): Given {
  const given: Given = { settings: new Map() };
  for (const [name, value] of parseProperties(text)) {
    if (Object.hasOwn(ownNames, name) || brokerConfigByName.has(name)) take(given, name, value);
    else unknown(name);
  }
  return spread(given);
}

function take(given: Given, name: string, value: string): void {
  const own = ownNames[name];
  if (own === undefined) given.settings.set(name, value);
  else given[own] = value;
}

function readConfigFile(path: string, readFile: (path: string) => string | null): string {
  let text: string | null;
  try {
    text = readFile(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === null) throw error;
    throw invalid(`The settings file ${path} cannot be read (${code})`, 'name one that this user may read', error);
  }
  if (text === null) throw invalid(`The settings file ${path} does not exist`, 'name one that does');
  return text;
}

/** Takes what Kafka's own settings say about doors and the directory over into Millrace's names, where those say nothing. */
function spread(given: Given): Given {
  const { settings } = given;
  const directories = settings.get('log.dirs') ?? settings.get('log.dir');
  if (directories !== undefined) {
    if (directories.includes(','))
      throw invalid(`log.dirs is ${directories}, but Millrace keeps everything in one directory`);
    given.data ??= directories.trim();
  }
  const listeners = settings.get('listeners');
  if (listeners !== undefined) {
    const { kafka, http } = listenersIn(listeners, 'listeners');
    if (kafka !== undefined) given.kafka ??= kafka;
    if (http !== undefined) given.http ??= http;
  }
  for (const name of ['log.dirs', 'log.dir', 'listeners']) settings.delete(name);
  return given;
}

/** The addresses in a list such as `PLAINTEXT://host:9092,WS://host:8080`. A controller's is nobody's here. */
function listenersIn(list: string, name: string): { kafka?: string; http?: string } {
  const found: { kafka?: string; http?: string } = {};
  for (const listener of list.split(',').map((part) => part.trim())) {
    if (listener === '') continue;
    const match = /^(\w+):\/\/(.*)$/.exec(listener);
    const door = match === null ? undefined : listenerDoors[match[1]!.toUpperCase()];
    if (door === undefined) {
      throw invalid(`${name} has ${listener}, but there are only PLAINTEXT://HOST:PORT and WS://HOST:PORT`);
    }
    // Kafka writes every address of the machine as an empty host.
    if (door !== 'none') found[door] ??= match![2]!.replace(/^:/, '0.0.0.0:');
  }
  return found;
}

const listenerDoors: Readonly<Record<string, 'kafka' | 'http' | 'none'>> = {
  PLAINTEXT: 'kafka',
  WS: 'http',
  CONTROLLER: 'none',
};

/** Whether one of two doors would find its port taken by the other. */
function collide(one: DoorAddress, other: DoorAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || isEveryAddress(one.host) || isEveryAddress(other.host);
}

function doorOf(name: string, text: string, allowUnauthenticated: boolean): DoorAddress | null {
  if (text.trim() === 'off') return null;
  const address = addressOf(name, text);
  if (!allowUnauthenticated && !isLoopback(address.host)) {
    throw invalid(
      `The address ${text} of ${name} can be reached from other machines, and Millrace asks nobody who they are`,
      'add --allow-unauthenticated if that is meant, or use 127.0.0.1',
    );
  }
  return address;
}

function addressOf(name: string, text: string): DoorAddress {
  const address = parseDoorAddress(text);
  if (address === null)
    throw invalid(`${name} is ${JSON.stringify(text)}, which is not HOST:PORT`, 'write 127.0.0.1:9092, for example');
  return address;
}

/** What clients are told to use has to lead somewhere. */
function advertisedAddressOf(text: string): DoorAddress {
  const address = addressOf('advertised.listeners', text);
  if (isEveryAddress(address.host) || address.port === 0) {
    throw invalid(
      `advertised.listeners has ${text}, where no client can connect to`,
      'name the host and port that clients reach this broker at, or leave it out',
    );
  }
  return address;
}

function settingOf(text: string): [name: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw invalid(`--set ${text} is not KEY=VALUE`);
  return [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
}

function booleanOf(text: string, name: string): boolean {
  const lower = text.trim().toLowerCase();
  if (lower !== 'true' && lower !== 'false') throw invalid(`${name} is ${JSON.stringify(text)}`, 'use true or false');
  return lower === 'true';
}

function logLevelOf(text: string): LogLevel {
  const level = logLevels.find((each) => each === text.trim().toLowerCase());
  if (level === undefined)
    throw invalid(`The log level ${JSON.stringify(text)} does not exist`, `use ${logLevels.join(', ')}`);
  return level;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function invalid(what: string, whatToDo = 'see millrace --help', cause?: unknown): EnvironmentError {
  return new EnvironmentError(EnvironmentErrorCode.CONFIG_INVALID, `${what}: ${whatToDo}.`, cause);
}
