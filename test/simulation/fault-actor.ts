/**
 * What breaks in a simulated run: crashes, cut connections, a disk that fails, tears or is full, a clock that jumps.
 * Single thread. Each kind comes on its own, at times of the seed's choice.
 */

import type { FileSystemCall } from './injected-failures.ts';
import type { World } from './world.ts';

const failingCalls: readonly FileSystemCall[] = [
  'write',
  'write',
  'sync',
  'syncDirectory',
  'open',
  'truncate',
  'rename',
];

/** Sets a failure on one of the next calls to the world's disk. */
export function failDisk(world: World): void {
  const { scheduler, disk } = world;
  const { random } = scheduler;
  const call = failingCalls[random.below(failingCalls.length)]!;
  const code = random.chance(0.7) ? 'EIO' : 'ENOSPC';
  scheduler.note(`the disk is to fail a ${call} with ${code}`);
  world.count(`disk faults set, ${call}`);
  disk.inject({ call, code, nth: 1 + random.below(5), times: 1 + random.below(2) });
}

export class FaultActor {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Breaks things until the world ends. */
  async run(): Promise<void> {
    const { profile } = this.#world;
    await Promise.all([
      this.#every(profile.crashEveryMs, () => this.#crash()),
      this.#every(profile.cutConnectionEveryMs, () => this.#cut()),
      this.#every(profile.diskFaultEveryMs, () => {
        // Starts have failures of their own, and whoever looks at what was started meets none.
        if (this.#world.process !== null) failDisk(this.#world);
      }),
      this.#every(profile.fullDiskEveryMs, () => this.#fillDisk()),
      this.#every(profile.clockJumpEveryMs, () => this.#jump()),
    ]);
  }

  async #every(meanMs: number, breakSomething: () => void): Promise<void> {
    if (!Number.isFinite(meanMs)) return;
    for (;;) {
      await this.#world.sleep(this.#world.drawMs(meanMs), 'fault');
      if (this.#world.isEnding) return;
      breakSomething();
    }
  }

  #crash(): void {
    const world = this.#world;
    const { random } = world.scheduler;
    if (world.process !== null && random.chance(0.4)) {
      // Within one of the next calls rather than between two steps.
      world.process.fileSystem.dieIn(1 + random.below(30));
      return;
    }
    world.crash(random.chance(world.profile.powerCutChance) ? 'powerCut' : 'kill');
  }

  #cut(): void {
    const { clients } = this.#world;
    if (clients.length === 0) return;
    this.#world.count('connections cut');
    clients[this.#world.scheduler.random.below(clients.length)]!.cut();
  }

  #fillDisk(): void {
    const world = this.#world;
    if (world.process === null) return;
    const { scheduler, disk } = world;
    world.count('disk full');
    scheduler.note('the disk is nearly full');
    disk.capacityBytes = disk.usedBytes + scheduler.random.below(8192);
    void world.sleep(world.drawMs(300), 'room').then(() => {
      scheduler.note('the disk has room');
      // It may be another one by now.
      world.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
      disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    });
  }

  #jump(): void {
    const { scheduler } = this.#world;
    this.#world.count('clock jumps');
    scheduler.jumpWallClock(scheduler.random.below(20_000) - 10_000);
  }
}
