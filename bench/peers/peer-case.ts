/** What a case is: the same load on Millrace and on a rival, and the floors that their ratio is held against. */

import type { FigureName, Figures } from '../load/figures.ts';
import type { KafkaAdmin } from '../load/kafka-admin.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';

/** Whom Millrace is compared with; cases of one rival share its processes, but for those that are `isAlone`. */
export type Rival = 'kafka' | 'nats' | 'nats-synced';

export interface PeerSizes {
  readonly isQuick: boolean;
  /** What counts of records are multiplied with. */
  readonly share: number;
  /** Of loads that end by the clock. */
  readonly loadMs: number;
  readonly manyPartitions: number;
}

export const fullSizes: PeerSizes = { isQuick: false, share: 1, loadMs: 3000, manyPartitions: 10_000 };
export const quickSizes: PeerSizes = { isQuick: true, share: 0.004, loadMs: 300, manyPartitions: 100 };

/** The clients that neither are the project's; each throws `Missing` where it cannot be had. */
export interface Clients {
  rdkafka(): string;
  javaTools(): string;
  nats(): string;
}

/** One running server, for one measurement after the other. */
export interface Bench {
  readonly server: ServerUnderTest;
  readonly sizes: PeerSizes;
  /** What `sizes` are where nothing is rehearsed: of what is there before a load, and made once. */
  readonly wholeSizes: PeerSizes;
  readonly clients: Clients;
  /** Topics and offsets; only of servers that speak Kafka's protocol. */
  readonly admin: KafkaAdmin;
  /** A topic that nobody has used, until the case is over. `kafkaConfigs` are for the rival. */
  newTopic(partitionCount: number, kafkaConfigs?: Readonly<Record<string, string>>): Promise<string>;
  /** Has the log of the topic looked at once the measurement is over: so many records more were acknowledged. */
  acknowledged(topic: string, records: number): void;
  /** A topic of one partition that `fill` fills, the first time that `name` is asked for on this server; it stays. */
  filledTopic(name: string, fill: (topic: string) => Promise<unknown>): Promise<string>;
}

export type Measure = (bench: Bench) => Promise<Figures>;

/** A bound on one figure of Millrace. */
export type Floor =
  /** Its ratio to the rival's. With `orOfProbe` it is enough to reach that share of what the probe did. */
  | { readonly figure: FigureName; readonly atLeast: number; readonly orOfProbe?: number }
  /** With `plusProbe` the probe's own figure is added to what the ratio allows. */
  | { readonly figure: FigureName; readonly atMost: number; readonly plusProbe?: boolean }
  /** Not a ratio: the figure itself. With `plusProbe` the probe's own is added to what it may be. */
  | { readonly figure: FigureName; readonly atMostAbsolute: number; readonly plusProbe?: boolean }
  /** Not a ratio to the rival's, which is only shown. */
  | { readonly figure: FigureName; readonly atLeastAbsolute: number };

export interface PeerCase {
  readonly name: string;
  /** What is done, in words. */
  readonly title: string;
  readonly rival: Rival;
  /** Which client made the numbers. */
  readonly client: string;
  /** Programs that it cannot do without, beside the servers. */
  readonly uses?: readonly (keyof Clients)[];
  /** Of requests, a second, where the load has one. */
  readonly rate?: number;
  /** The case has processes of its own. */
  readonly isAlone?: boolean;
  /** Its servers are not warmed up. */
  readonly isCold?: boolean;
  /** Millrace alone is not: what it takes of memory then belongs to this case. */
  readonly isColdHere?: boolean;
  /** It is not done in small before it is measured: it does so itself, or is about what comes first. */
  readonly isUnrehearsed?: boolean;
  readonly millrace: Measure;
  readonly peer: Measure;
  /** What the machine does without either, in the same round, in the folder where servers keep their data. */
  readonly probe?: { readonly name: string; measure(folder: string, sizes: PeerSizes): Figures | Promise<Figures> };
  readonly floors: readonly Floor[];
}

export function scaledCount(count: number, { share }: PeerSizes): number {
  return Math.ceil(count * share);
}
