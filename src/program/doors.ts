/**
 * Opens the doors of one broker, and closes them together. I/O thread. All doors share one budget for incomplete
 * frames, one quota of connections and one dispatcher; each counts what goes through it. It does not know how a broker is started (index.ts).
 */

import { systemClock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerConfig } from '../broker/broker-config.ts';
import { configList } from '../broker/config-definition.ts';
import { AddressBounds } from '../broker/quotas/address-bounds.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { ActiveClients } from '../server/active-clients.ts';
import { AssemblyBudget } from '../server/assembly-budget.ts';
import { ConnectionQuota } from '../server/connection-quota.ts';
import type { DescriptorShares } from '../server/descriptor-shares.ts';
import { httpTopics } from '../server/http-topics.ts';
import { HttpServer, type NativePart } from '../server/http-server.ts';
import { JsonWebSocket } from '../server/json-websocket/json-websocket.ts';
import { KafkaWebSocket } from '../server/kafka-websocket.ts';
import { MeteredService } from '../server/metered-service.ts';
import type { RequestService } from '../server/request-pipeline.ts';
import { RawWebSocket } from '../server/raw-websocket.ts';
import { ResponseBudget } from '../server/response-budget.ts';
import { TcpDoor } from '../server/tcp-door.ts';
import type { DoorAddress } from './door-address.ts';

export interface DoorsOptions {
  /** Where to listen; null leaves the door shut. */
  readonly kafka: DoorAddress | null;
  readonly http: DoorAddress | null;
  /** What clients are told to use; null: the address at which each reached the broker. */
  readonly advertisedKafka: DoorAddress | null;
  readonly advertisedHttp: DoorAddress | null;
  /** For HTTP. */
  readonly native: NativePart | null;
  readonly service: RequestService;
  /** For all doors but Kafka's. */
  readonly gateway: Gateway;
  /** The release, for what describes itself. */
  readonly version: string;
  readonly config: BrokerConfig;
  /** How many connections the system's bound on open files leaves room for. */
  readonly descriptors: DescriptorShares;
  /** Hears of what clients send. */
  readonly clients: ActiveClients;
  /** As in `ConnectionBounds`. */
  readonly throttleMs: (clientHost: string) => number;
  /** As `ConnectionBounds.waitMs`. */
  readonly waitMs: () => number;
  readonly logger: Logger;
  /** What does not work though the broker serves, for `/readyz`. */
  readonly troubles: () => readonly string[];
  /** The text of `/metrics`. */
  readonly metrics: () => Promise<string>;
}

/** What one door has counted. */
export interface DoorMeter {
  /** `kafka` or `kafka-ws`. */
  readonly listener: string;
  readonly service: MeteredService;
  readonly connectionCount: () => number;
}

type Door = TcpDoor | HttpServer;

/** The memory in which connections may keep incomplete frames, all together, in bytes. */
const assemblyLimitBytes = 64 * 1024 * 1024;
/** Requests of one connection that are served at once; with more, its socket is not read. */
const requestsInFlight = 64;
/** What responses may take until they have left, all together, in bytes; fetched records have a bound of their own. */
const responseLimitBytes = 512 * 1024 * 1024;
/** What a WebSocket message may take beyond the largest record, in bytes: then it is refused by name rather than cut off. */
const frameRoomBytes = 1024 * 1024;

export class Doors {
  readonly meters: DoorMeter[] = [];
  readonly #options: DoorsOptions;
  readonly #budget: AssemblyBudget;
  readonly #quota: ConnectionQuota;
  readonly #responses = new ResponseBudget(responseLimitBytes);
  readonly #open: Door[] = [];
  #kafka: DoorAddress | null = null;
  #http: DoorAddress | null = null;
  #ready = false;

  private constructor(options: DoorsOptions) {
    const { config } = options;
    this.#options = options;
    this.#budget = new AssemblyBudget({
      limitBytes: assemblyLimitBytes,
      largestFrameBytes: config.number('socket.request.max.bytes'),
    });
    const addresses = new AddressBounds(config, options.logger);
    this.#quota = new ConnectionQuota({
      largestCount: () => config.number('max.connections'),
      largestCountPerAddress: (clientHost) => addresses.largestCount(clientHost),
      limitsAddresses: () => addresses.limitsAny,
      throttleMs: options.throttleMs,
      waitMs: options.waitMs,
      descriptors: options.descriptors,
    });
  }

  /** Opens what `options` name. Rejects with an `EnvironmentError` and leaves none open where one cannot be. */
  static async open(options: DoorsOptions): Promise<Doors> {
    const doors = new Doors(options);
    try {
      await doors.#openKafka();
      await doors.#openHttp();
    } catch (error) {
      await doors.close();
      throw error;
    }
    doors.#ready = true;
    return doors;
  }

  /** Where each listens, with its real port. */
  get kafka(): DoorAddress | null {
    return this.#kafka;
  }

  get http(): DoorAddress | null {
    return this.#http;
  }

  /** What all connections keep of incomplete frames, in bytes. */
  get assemblyBytes(): number {
    return this.#budget.leasedBytes;
  }

  /** Ends all connections, within a second. */
  async close(): Promise<void> {
    this.#ready = false;
    await Promise.all(this.#open.map((door) => door.close()));
  }

  async #openKafka(): Promise<void> {
    const { kafka, advertisedKafka } = this.#options;
    if (kafka === null) return;
    const service = new MeteredService(this.#options.service);
    const door = await TcpDoor.open({ ...this.#shared(service), ...kafka, advertised: advertisedKafka });
    this.#kafka = door.address;
    this.#open.push(door);
    this.meters.push({ listener: 'kafka', service, connectionCount: () => door.connectionCount });
  }

  async #openHttp(): Promise<void> {
    const { http, advertisedHttp, native, troubles, metrics } = this.#options;
    if (http === null || native === null) return;
    const service = new MeteredService(this.#options.service);
    const shared = this.#shared(service);
    const kafka = new KafkaWebSocket(shared);
    const options = {
      ...http,
      logger: shared.logger,
      quota: shared.quota,
      clients: shared.clients,
      idleMs: shared.idleMs,
      advertised: advertisedHttp,
      allowedOrigins: configList(this.#options.config.text('millrace.allowed.origins') ?? ''),
      native,
      ready: () => this.#ready,
      troubles,
      metrics,
    };
    const { gateway, config, version } = this.#options;
    const largestMessageBytes = config.number('message.max.bytes') + frameRoomBytes;
    const raw = new RawWebSocket({ gateway, largestMessageBytes });
    const json = new JsonWebSocket({ gateway, largestMessageBytes, logger: shared.logger, version });
    const server = await HttpServer.open(options, [
      (table) => kafka.register(table),
      (table) => raw.register(table),
      (table) => json.register(table),
      httpTopics({ gateway, version, clock: systemClock, logger: shared.logger }),
    ]);
    this.#http = server.address;
    this.#open.push(server);
    this.meters.push({ listener: 'kafka-ws', service, connectionCount: () => kafka.connectionCount });
  }

  #shared(service: MeteredService) {
    const { config, logger } = this.#options;
    return {
      service,
      budget: this.#budget,
      limits: {
        largestFrameBytes: config.number('socket.request.max.bytes'),
        requestsInFlight,
        responses: this.#responses,
      },
      logger,
      quota: this.#quota,
      clients: this.#options.clients,
      idleMs: config.number('connections.max.idle.ms'),
    };
  }
}
