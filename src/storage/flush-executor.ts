/**
 * Who runs flush rounds for the store: worker threads (flush/flush-pool.ts) or, in a simulation, a scheduler that runs
 * each step of a round when it likes. I/O thread. Work goes through the arena's queues alone; this only starts, stops
 * and rings.
 */

export interface FlushExecutor {
  /**
   * Starts one worker for each of the arena's queues. `completionsWait` is called on the I/O thread whenever
   * completions of that worker's queue may wait, and the callee drains them; `failed` at most once a worker that ended
   * by a defect, whose submissions will never be answered. Called once.
   */
  start(completionsWait: (workerIndex: number) => void, failed: (error: Error, workerIndex: number) => void): void;
  /** Something was submitted to a queue; for executors whose workers do not wait on the queues themselves. */
  submitted?(workerIndex: number): void;
  /**
   * Ends the workers once they have dealt with all that was submitted. `completionsWait` goes on being called until
   * this resolves; afterwards nothing of them is left.
   */
  stop(): Promise<void>;
}
