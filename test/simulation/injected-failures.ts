/**
 * Which calls of a simulated file system fail, and how. Any thread; used by simulated-file-system.ts.
 * It decides and counts; what a failed call leaves behind is the file system's.
 */

/** The calls a failure can be set on; an asynchronous call counts as its synchronous sister. */
export type FileSystemCall =
  | 'open'
  | 'close'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sizeOf'
  | 'sizeAt'
  | 'isDirectory'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'removeTree'
  | 'sync'
  | 'syncDirectory'
  | 'space';

export interface InjectedFailure {
  /** Only this call; any unless given. */
  readonly call?: FileSystemCall;
  /** Only where the path (of a descriptor: the one it was opened with) matches. */
  readonly path?: RegExp;
  /** Which of the calls that match from now on fails first; 1, the next, unless given. */
  readonly nth?: number;
  /** How many calls in a row fail; 1 unless given. */
  readonly times?: number;
  /** The system error, such as 'EIO'. */
  readonly code: string;
}

interface ArmedFailure {
  readonly failure: InjectedFailure;
  seen: number;
}

/** An error as Node throws it for a failed system call. */
export function systemError(code: string, call: FileSystemCall, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code, syscall: call, path });
}

export class FailurePlan {
  #armed: ArmedFailure[] = [];
  #callCount = 0;

  /** Calls checked so far. */
  get callCount(): number {
    return this.#callCount;
  }

  inject(failure: InjectedFailure): void {
    this.#armed.push({ failure, seen: 0 });
  }

  clear(): void {
    this.#armed = [];
  }

  /** Counts a call and throws where a failure was set on it. */
  check(call: FileSystemCall, path: string): void {
    this.#callCount++;
    let code: string | null = null;
    for (const armed of this.#armed) {
      const { failure } = armed;
      if (failure.call !== undefined && failure.call !== call) continue;
      if (failure.path !== undefined && !failure.path.test(path)) continue;
      const index = ++armed.seen - (failure.nth ?? 1);
      if (index >= 0 && index < (failure.times ?? 1)) code ??= failure.code;
    }
    if (code !== null) throw systemError(code, call, path);
  }
}
