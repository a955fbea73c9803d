/**
 * Waits for a full disk to have room again, for one log. I/O thread; it asks the disk every so often and does nothing else.
 */

import type { Timer } from '../base/clock.ts';
import type { StoreContext } from './store-context.ts';

/** How long a partition without room waits before it looks again. */
const retryMs = 250;
/** Writing goes on once so much is free: less would be used up by the next batches. */
const resumeFreeBytes = 1024 * 1024;

export class RoomWatch {
  readonly #context: StoreContext;
  readonly #isWanted: () => boolean;
  readonly #hasRoom: () => void;
  #timer: Timer | null = null;

  /** Calls `hasRoom` once there is room, as long as `isWanted` says that it is waited for. */
  constructor(context: StoreContext, isWanted: () => boolean, hasRoom: () => void) {
    this.#context = context;
    this.#isWanted = isWanted;
    this.#hasRoom = hasRoom;
  }

  /** Looks after a while. */
  start(): void {
    const { clock, fileSystem, directory, logger } = this.#context;
    this.#timer = clock.setTimer(retryMs, () => {
      fileSystem.spaceLater(directory).then(
        ({ freeBytes }) => {
          if (!this.#isWanted()) return;
          if (freeBytes >= resumeFreeBytes) this.#hasRoom();
          else this.start();
        },
        (error: unknown) => {
          logger.warn({ directory, error }, 'The free space of the disk could not be read.');
          if (this.#isWanted()) this.start();
        },
      );
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
