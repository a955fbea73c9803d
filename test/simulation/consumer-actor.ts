/**
 * A consumer without a group: follows some partitions, keeps its own positions, now and then rewinds. Single thread.
 * It goes on where it was through crashes and cut connections.
 */

import { PartitionReader, earliest, latest } from './partition-reader.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

export class ConsumerActor {
  readonly #world: World;
  readonly #name: string;
  readonly #readers = new Map<string, PartitionReader>();

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  /** Reads until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(this.#name);
      const targets = world.topics.partitions();
      if (targets.length === 0) {
        await world.sleep(20, this.#name);
        continue;
      }
      const target = targets[random.below(targets.length)]!;
      let reader = this.#readers.get(target.log);
      if (reader === undefined) {
        this.#readers.set(target.log, (reader = new PartitionReader(world, this.#name, target)));
      }
      await this.#read(client, reader);
      await world.sleep(random.below(30), this.#name);
    }
    client?.cut();
  }

  async #read(client: SimulatedClient, reader: PartitionReader): Promise<void> {
    const { random } = this.#world.scheduler;
    if (reader.position < 0 || random.chance(0.03)) {
      if (!(await reader.seekTo(client, random.chance(0.8) ? earliest : latest))) return;
    }
    // Several in a row, so that tails are read from memory and the rest from files.
    for (let i = random.below(4); i >= 0; i--) {
      const count = await reader.fetch(client);
      if (count < 0 && client.isOpen) reader.forget();
      if (count <= 0) return;
    }
  }
}
