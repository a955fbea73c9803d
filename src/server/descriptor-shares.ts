/**
 * Who may have how many of the descriptors that the system allows this process (`ulimit -n`): partitions' files,
 * connections, readers, and the process itself. I/O thread.
 *
 *   │ process │ readers │ files: twice the logs that are written, a least number at least │ head room │ connections │
 *                       └ shrinks only once the flush workers say that they closed so many ┘
 *
 * Files come first: without a descriptor a partition could not be written, so that a crowd of connections would keep
 * those from their work who are connected already. What a partition needs beyond that makes it slower, not fail: its
 * file is closed and opened again. It counts nothing itself; it is told of logs and connections.
 */

/** What the process has open beside files of partitions and connections, or a quarter of all where there are few. */
const ownDescriptors = 64;
const mostReaders = 256;
/** What connections leave to files, or half of what there is. */
const leastFiles = 1024;
/** So many connections may come before files have given way to them. */
const mostHeadRoom = 1024;
/** More than this is not needed, however many there are. */
const mostFiles = 1_000_000;
/** Files that sealed segments, indexes and new directories have open for a moment. */
const momentaryFiles = 512;

/** What the process's report says of its limits, as far as it is needed. */
interface ProcessReport {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

/** The soft bound on open files as it is now; Infinity where there is none or it is not known. Takes milliseconds. */
export function softDescriptorLimit(): number {
  const { report } = process;
  // Names of peers would be looked up.
  (report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const limits = (report.getReport() as unknown as ProcessReport).userLimits;
  const soft = limits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Infinity;
}

export interface DescriptorSharesOptions {
  /** The bound as it is now: `softDescriptorLimit`. */
  readonly softLimit: () => number;
  /** Has at most so many files open from now on; resolves once no more are. */
  readonly limitFiles: (files: number, readers: number) => Promise<void>;
}

export class DescriptorShares {
  readonly #options: DescriptorSharesOptions;
  /** What files and connections share. */
  #shared = 0;
  #readers = 0;
  #logs = 0;
  #connections = 0;
  /** What files may have at most, until a smaller number was confirmed. */
  #files = Infinity;
  /** What they were last told. */
  #told = -1;
  #isShrinking = false;
  #hasLooked = false;

  /** Nobody is limited before the first `look`, which comes by itself with some logs. */
  constructor(options: DescriptorSharesOptions) {
    this.#options = options;
  }

  /** So many connections may be there by now. */
  get largestConnectionCount(): number {
    return this.#shared === Infinity ? Infinity : Math.max(this.#shared - this.#files, 1);
  }

  /** Looks at the system's bound again. */
  look(): void {
    this.#hasLooked = true;
    const soft = this.#options.softLimit();
    this.#readers = Math.min(mostReaders, Math.floor(soft / 16));
    this.#shared = soft - Math.min(ownDescriptors, Math.floor(soft / 4)) - this.#readers;
    this.#settle();
  }

  /** So many partitions were written of late. */
  logsAre(count: number): void {
    this.#logs = count;
    if (this.#hasLooked) this.#settle();
    else this.look();
  }

  connectionsAre(count: number): void {
    this.#connections = count;
    if (this.#hasLooked) this.#settle();
  }

  #settle(): void {
    const least = Math.min(leastFiles, Math.floor(this.#shared / 2));
    const headRoom = Math.min(mostHeadRoom, Math.floor(this.#shared / 8));
    const most = Math.max(Math.min(this.#shared - this.#connections - headRoom, mostFiles), least);
    const wanted = Math.min(Math.max(2 * this.#logs + momentaryFiles, least), most);
    if (wanted === this.#told) return;
    if (wanted > this.#told) {
      // The bound may have been lowered since.
      this.#files = this.#isShrinking && this.#files !== Infinity ? Math.max(this.#files, wanted) : wanted;
      this.#tell(wanted);
      return;
    }
    // A few less are not worth a message for every connection.
    if (this.#isShrinking || (this.#told - wanted < headRoom / 4 && wanted !== least)) return;
    this.#isShrinking = true;
    void this.#tell(wanted).then(() => {
      this.#isShrinking = false;
      this.#files = this.#told;
      this.#settle();
    });
  }

  #tell(files: number): Promise<void> {
    this.#told = files;
    return this.#options.limitFiles(files, this.#readers);
  }
}
