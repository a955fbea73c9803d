/**
 * How many connections the system's bound on open files (`ulimit -n`) leaves room for. I/O thread.
 * Files come first: without a descriptor a partition could not be written, so that a crowd of connections would keep
 * those from their work who are connected already.
 */

/** Descriptors that connections leave to files, or half of all where there are few. */
const reservedDescriptors = 2048;

/** What the process's report says of its limits, as far as it is needed. */
interface ProcessReport {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

/** At most so many connections, by the bound as it is now; Infinity where there is none or it is not known. */
export function connectionsWithinDescriptors(): number {
  const { report } = process;
  // Names of peers would be looked up.
  (report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const limits = (report.getReport() as unknown as ProcessReport).userLimits;
  const soft = limits?.open_files?.soft;
  return typeof soft === 'number' ? soft - Math.min(reservedDescriptors, Math.floor(soft / 2)) : Infinity;
}
