/**
 * One simulated run of the whole broker from a seed: sets the world up, lets actors work while things break, calms it
 * down, and judges what was seen. Single thread.
 *
 *   topics are made ─► actors and faults ─► calm: all sent is settled ─► scan ─► clean stop ─► start ─► scan ─► verdict
 *
 * A seed gives the same run, step by step, each time: `hash` says so.
 */

import { Arena } from '../../src/memory/arena.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { FlushQueue } from '../../src/memory/flush-queue.ts';
import type { Compactor } from '../../src/storage/compactor.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import type { LogStore } from '../../src/storage/partition-log.ts';
import { AdminActor } from './admin-actor.ts';
import { findAnomalies } from './anomaly-checker.ts';
import { ConsumerActor } from './consumer-actor.ts';
import { CopyActor } from './copy-actor.ts';
import { CopyReader } from './copy-reader.ts';
import { CopyStream } from './copy-stream.ts';
import { FaultActor } from './fault-actor.ts';
import { GroupActor } from './group-actor.ts';
import { KeyedActor } from './keyed-actor.ts';
import { KeyedReader } from './keyed-reader.ts';
import { KeyedStream } from './keyed-stream.ts';
import { ReconcilingActor } from './reconciling-actor.ts';
import { ShareActor } from './share-actor.ts';
import { ShareStream } from './share-stream.ts';
import { createStreamsSource, StreamsActor } from './streams-actor.ts';
import { scanLogs } from './log-scan.ts';
import { NamedActor, type NamedActorOptions } from './named-actor.ts';
import { ProducerActor, type ProducerOptions } from './producer-actor.ts';
import { drawProfile, type Profile } from './profile.ts';
import { PublisherActor } from './publisher-actor.ts';
import { Scheduler } from './scheduler.ts';
import { World } from './world.ts';
import { TunedLogStore } from './wrapped-log-store.ts';

/** A bug between the broker and what it runs on, to see that it is found. */
export interface PlantedBug {
  readonly name: string;
  /** The bug of one run, where its parts share something. */
  plant?(): PlantedBug;
  fileSystem?(inner: FileSystem): FileSystem;
  store?(inner: LogStore): LogStore;
  queue?(inner: FlushQueue): FlushQueue;
  compactor?(inner: Compactor): Compactor;
  clock?(inner: Clock): Clock;
}

export interface SimulationOptions {
  readonly bug?: PlantedBug;
  /** How many of the last events the result tells; 64 unless given. */
  readonly traceLength?: number;
  /** Changes what the seed drew. */
  readonly profile?: Partial<Profile>;
}

export interface SimulationResult {
  readonly seed: number;
  /** Equal for two runs that took the same steps. */
  readonly hash: string;
  /** What was found; empty where all promises were kept. */
  readonly problems: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly eventCount: number;
  readonly trace: readonly string[];
  readonly profile: Profile;
}

const settleWithinMs = 20_000;
const streamsGroup = 'streams';

let sharedArena: Arena | null = null;

/** Small, and the same for all runs: each process clears it. */
function arena(): Arena {
  sharedArena ??= Arena.create({
    flushWorkerCount: 2,
    queueCapacity: 64,
    // So small that it turns several times in a run.
    ringSizeBytes: 32 * 1024,
    scratchSizeBytes: 512 * 1024,
    heapSizeBytes: 1024 * 1024,
  });
  return sharedArena;
}

/** Runs the seed. Rejects only for defects of the simulation itself; what the broker does wrong is in the result. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const bug = options.bug?.plant?.() ?? options.bug;
  const drawing = new Scheduler(seed);
  const profile = { ...drawProfile(drawing.random), ...options.profile };
  const scheduler = new Scheduler(seed, {
    maxLatencyMs: profile.maxDiskMs,
    ...(options.traceLength === undefined ? {} : { traceLength: options.traceLength }),
  });
  const tune = (config: LogConfig): LogConfig => ({ ...config, segmentBytes: profile.segmentBytes });
  const world = new World({
    scheduler,
    profile,
    arena: arena(),
    wraps: {
      fileSystem: (inner) => bug?.fileSystem?.(inner) ?? inner,
      store: (inner) => new TunedLogStore(bug?.store?.(inner) ?? inner, tune),
      queue: (inner) => bug?.queue?.(inner) ?? inner,
      compactor: (inner) => bug?.compactor?.(inner) ?? inner,
      clock: (inner) => bug?.clock?.(inner) ?? inner,
    },
  });
  let isDone = false;
  let failure: unknown = null;
  const run = new Run(world);
  void run.run().then(
    () => (isDone = true),
    (error: unknown) => {
      failure = error;
      isDone = true;
    },
  );
  try {
    await scheduler.run({ until: () => isDone || world.hasDefect, maxEvents: 60_000 });
  } catch (error) {
    failure ??= error;
  }
  if (failure !== null) world.breakPromise(`the run failed: ${(failure as Error).stack ?? String(failure)}`);
  else if (!isDone && !world.hasDefect) world.breakPromise('the run stands still: somebody waits for what never comes');
  const anomalies = findAnomalies(world.history).map(({ kind, message }) => `${kind}: ${message}`);
  world.process?.kill();
  return {
    seed,
    hash: scheduler.traceHash,
    problems: [...world.broken, ...anomalies],
    counts: world.counts,
    eventCount: scheduler.eventCount,
    trace: scheduler.recentTrace,
    profile,
  };
}

class Run {
  readonly #world: World;
  readonly #streams: CopyStream[] = [];
  readonly #keyed: KeyedStream[] = [];
  readonly #shares: ShareStream[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { profile } = world;
    // Now and then nobody looks before clients come back, so that what they see first is what they left.
    world.onStart = async (process) => {
      if (world.scheduler.random.chance(0.7)) await scanLogs(world, process);
      else world.topics.check((id) => process.broker.topics.topicById(id) !== null);
    };
    await world.start();
    const admin = new AdminActor(world);
    await admin.createTopics();
    await this.#createStreams();
    const actors = [
      admin.run(),
      ...this.#producers(),
      ...this.#named(),
      ...this.#publishers(),
      ...this.#consumers(),
      ...this.#copiers(),
      ...this.#keyed.flatMap((stream) => [new KeyedActor(world, stream).run(), new KeyedReader(world, stream).run()]),
      ...this.#sharers(),
      new FaultActor(world).run(),
    ];
    const actorsDone = Promise.all(actors);
    await Promise.race([world.sleep(profile.runMs, 'end of the run'), actorsDone]);
    world.isEnding = true;
    await this.#calmDown();
    await Promise.race([actorsDone, this.#settleInTime()]);
    await this.#judge();
  }

  #producers(): Promise<void>[] {
    const { random } = this.#world.scheduler;
    return Array.from({ length: this.#world.profile.producers }, (_, index) => {
      const isIdempotent = random.chance(0.6);
      const acks = isIdempotent && random.chance(0.75) ? -1 : ([-1, 0, 1] as const)[random.below(3)]!;
      const options: ProducerOptions = {
        name: `${isIdempotent && acks !== 0 ? 'idempotent' : 'plain'}${index}`,
        acks,
        isIdempotent: isIdempotent && acks !== 0,
        compresses: random.chance(0.2),
        window: 1 + random.below(5),
      };
      return new ProducerActor(this.#world, options).run();
    });
  }

  #named(): Promise<void>[] {
    const { random } = this.#world.scheduler;
    return Array.from({ length: this.#world.profile.named }, (_, index) => {
      const durability = random.chance(0.75) ? 'synced' : 'written';
      const options: NamedActorOptions = { name: `named${index}`, durability, window: 1 + random.below(5) };
      return new NamedActor(this.#world, options).run();
    });
  }

  #publishers(): Promise<void>[] {
    const { random } = this.#world.scheduler;
    return Array.from({ length: this.#world.profile.publishers }, (_, index) => {
      const durability = random.chance(0.7) ? 'synced' : random.chance(0.7) ? 'written' : 'none';
      return new PublisherActor(this.#world, `publisher${index}`, durability).run();
    });
  }

  async #createStreams(): Promise<void> {
    for (let i = 0; i < this.#world.profile.copies; i++) {
      const stream = new CopyStream(this.#world, `copy${i}`);
      await stream.create();
      this.#streams.push(stream);
    }
    for (let i = 0; i < this.#world.profile.keyed; i++) {
      const stream = new KeyedStream(this.#world, `keyed${i}`);
      await stream.create();
      this.#keyed.push(stream);
    }
    if (this.#world.profile.streamers > 0) await createStreamsSource(this.#world);
    for (let i = 0; i < this.#world.profile.shares; i++) {
      const stream = new ShareStream(this.#world, `share${i}`);
      await stream.create();
      this.#shares.push(stream);
    }
  }

  #copiers(): Promise<void>[] {
    const { scheduler, profile } = this.#world;
    return this.#streams.flatMap((stream) => {
      const isV2 = scheduler.random.chance(0.6);
      const copiers = Array.from({ length: profile.copiersPerStream }, (_, index) =>
        new CopyActor(this.#world, { name: `${stream.name}.${index}`, stream, isV2 }).run(),
      );
      return [...copiers, new CopyReader(this.#world, `${stream.name}.reader`, stream).run()];
    });
  }

  #sharers(): Promise<void>[] {
    const world = this.#world;
    return this.#shares.flatMap((stream) => [
      stream.produce(([1, 0.5, 0.2] as const)[world.scheduler.random.below(3)]!),
      ...Array.from({ length: world.profile.sharers }, (_, i) =>
        new ShareActor(world, stream, `${stream.name}.${i}`).run(),
      ),
    ]);
  }

  /** Whatever is left is accepted by one member: all that is not done must come. */
  async #drainShares(who: string): Promise<void> {
    for (const stream of this.#shares) {
      await new ShareActor(this.#world, stream, `${stream.name}.${who}`).drain();
      stream.ledger.judge();
    }
  }

  #consumers(): Promise<void>[] {
    const world = this.#world;
    const { consumers, groups, membersPerGroup, reconciling, streamers } = world.profile;
    const running: Promise<void>[] = [];
    for (let i = 0; i < consumers; i++) running.push(new ConsumerActor(world, `consumer${i}`).run());
    for (let group = 0; group < groups; group++) {
      for (let member = 0; member < membersPerGroup; member++) {
        running.push(new GroupActor(world, `group${group}`, `member${group}.${member}`).run());
      }
    }
    for (let member = 0; member < reconciling; member++) {
      const isStatic = world.scheduler.random.chance(0.3);
      running.push(new ReconcilingActor(world, 'reconciling', `reconciling${member}`, isStatic).run());
    }
    for (let member = 0; member < streamers; member++) {
      const isStatic = world.scheduler.random.chance(0.3);
      running.push(new StreamsActor(world, streamsGroup, `streamer${member}`, isStatic).run());
    }
    return running;
  }

  /** No further faults, and a disk that has room. A partition whose sync failed takes writes again after a restart. */
  async #calmDown(): Promise<void> {
    const world = this.#world;
    await world.serving();
    world.disksFail = false;
    world.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    world.crash('kill');
    await world.serving();
  }

  async #settleInTime(): Promise<never> {
    await this.#world.sleep(settleWithinMs, 'settled at last');
    throw new Error(`actors did not come to an end within ${settleWithinMs} ms of calm`);
  }

  async #judge(): Promise<void> {
    const world = this.#world;
    // What was written without a promise is still on its way.
    await world.sleep(2000, 'judgement');
    await scanLogs(world, await world.serving());
    await this.#drainShares('judge');
    if (world.profile.streamers > 0) await new StreamsActor(world, streamsGroup, 'last-streamer', false).takeAll();
    for (const stream of this.#streams) await stream.judge(await world.serving());
    for (const stream of this.#keyed) await stream.judge(await world.serving(), false);
    await world.stop();
    await world.start();
    const process = await world.serving();
    if (!process.store.startedClean) world.breakPromise('a start after a clean stop is not a clean one');
    await scanLogs(world, process);
    for (const stream of this.#streams) await stream.judge(process);
    await this.#drainShares('second');
    if (this.#keyed.length === 0) return;
    // The cleaner has looked a few times by then, and after a clean stop all that has ended may be compacted.
    await world.sleep(1000, 'compaction');
    for (const stream of this.#keyed) await stream.judge(process, true);
  }
}
