/**
 * Reads metrics as clients push them: OpenTelemetry's MetricsData in Protocol Buffers (KIP-714; opentelemetry-proto,
 * metrics/v1). Any thread.
 *
 *   MetricsData ─1─► ResourceMetrics ─2─► ScopeMetrics ─2─► Metric: 1 name, 5 gauge, 7 sum ─1─► points
 *   point: 7 attributes, 4 double, 6 int;  sum: 2 temporality, 3 monotonic
 *
 * Only what is shown is read: numbers of gauges and sums. Histograms and what else there is are stepped over, as
 * Protocol Buffers have it. Every length is checked against what is left; points and fields beyond a bound are an error, for
 * a few compressed bytes can be millions of fields that say nothing.
 */

export interface MetricPoint {
  readonly name: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly value: number;
  /** `last`: a gauge. `delta`: what came since the push before. `total`: all that came since the client's start. */
  readonly kind: 'last' | 'delta' | 'total';
}

/** What was pushed is no such message, or holds more than is taken. */
export class MalformedMetrics extends Error {
  override readonly name = 'MalformedMetrics';
}

const maxPoints = 20_000;
/**
 * Of a whole push, in messages within messages too. A point with as many attributes as it may have has some 65 of them, one
 * with few a dozen: so many points of the largest kind as there may be of all do not fit, but about 6,100 do.
 */
const maxFields = 400_000;
const maxAttributes = 16;
const maxTextBytes = 1024;

const WireType = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;
const deltaTemporality = 1;

const decoder = new TextDecoder();

/** How many fields may still come, in all messages of a push together. */
interface FieldAllowance {
  left: number;
}

/** The fields of one message, one after the other. `next` moves to a field; the rest tells of the field it is at. */
class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #allowance: FieldAllowance;
  #position = 0;
  field = 0;
  #wireType = 0;
  #number = 0;
  #start = 0;

  constructor(bytes: Uint8Array, allowance: FieldAllowance) {
    this.#bytes = bytes;
    this.#allowance = allowance;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  next(): boolean {
    if (this.#position === this.#bytes.length) return false;
    if (--this.#allowance.left < 0) throw new MalformedMetrics(`more than ${maxFields} fields`);
    const key = this.#varint();
    this.field = Math.floor(key / 8);
    this.#wireType = key % 8;
    if (this.#wireType === WireType.VARINT) this.#number = this.#varint();
    else if (this.#wireType === WireType.FIXED64) this.#take(8);
    else if (this.#wireType === WireType.FIXED32) this.#take(4);
    else if (this.#wireType === WireType.BYTES) this.#take(this.#varint());
    else throw new MalformedMetrics(`a field of type ${this.#wireType}`);
    return true;
  }

  /** The field's bytes, a view. */
  bytes(): Uint8Array {
    this.#expect(WireType.BYTES);
    return this.#bytes.subarray(this.#start, this.#position);
  }

  message(): FieldReader {
    return new FieldReader(this.bytes(), this.#allowance);
  }

  text(): string {
    const bytes = this.bytes();
    if (bytes.length > maxTextBytes) throw new MalformedMetrics(`a text of ${bytes.length} bytes`);
    return decoder.decode(bytes);
  }

  varint(): number {
    this.#expect(WireType.VARINT);
    return this.#number;
  }

  double(): number {
    this.#expect(WireType.FIXED64);
    return this.#view.getFloat64(this.#start, true);
  }

  signedFixed64(): number {
    this.#expect(WireType.FIXED64);
    return Number(this.#view.getBigInt64(this.#start, true));
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw new MalformedMetrics(`field ${this.field} has type ${this.#wireType}`);
  }

  #take(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length - this.#position) throw new MalformedMetrics('a field is cut short');
    this.#start = this.#position;
    this.#position += sizeBytes;
  }

  /** A value of up to 64 bits; beyond 2^53 it is rounded. */
  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#bytes[this.#position];
      if (byte === undefined) break;
      this.#position++;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new MalformedMetrics('a number is cut short');
  }
}

/** The points that `bytes` hold. Throws `MalformedMetrics`. */
export function readMetrics(bytes: Uint8Array): MetricPoint[] {
  const points: MetricPoint[] = [];
  for (const resource of messagesOf(new FieldReader(bytes, { left: maxFields }), 1)) {
    for (const scope of messagesOf(resource, 2)) {
      for (const metric of messagesOf(scope, 2)) readMetric(metric, points);
    }
  }
  return points;
}

function* messagesOf(reader: FieldReader, field: number): Generator<FieldReader> {
  while (reader.next()) if (reader.field === field) yield reader.message();
}

function readMetric(reader: FieldReader, points: MetricPoint[]): void {
  let name = '';
  const data: { readonly reader: FieldReader; readonly isSum: boolean }[] = [];
  while (reader.next()) {
    if (reader.field === 1) name = reader.text();
    // The name may come behind the data.
    else if (reader.field === 5 || reader.field === 7) {
      data.push({ reader: reader.message(), isSum: reader.field === 7 });
    }
  }
  for (const { reader: reading, isSum } of data) {
    let temporality = 0;
    const readers: FieldReader[] = [];
    while (reading.next()) {
      if (reading.field === 1) readers.push(reading.message());
      else if (reading.field === 2 && isSum) temporality = reading.varint();
      if (readers.length + points.length > maxPoints) throw new MalformedMetrics(`more than ${maxPoints} points`);
    }
    const kind = isSum ? (temporality === deltaTemporality ? 'delta' : 'total') : 'last';
    for (const point of readers) points.push({ name, kind, ...readPoint(point) });
  }
}

function readPoint(reader: FieldReader): Pick<MetricPoint, 'attributes' | 'value'> {
  let value = 0;
  const attributes: [string, string][] = [];
  while (reader.next()) {
    if (reader.field === 4) value = reader.double();
    else if (reader.field === 6) value = reader.signedFixed64();
    else if (reader.field === 7) attributes.push(readAttribute(reader.message()));
    if (attributes.length > maxAttributes) throw new MalformedMetrics(`more than ${maxAttributes} attributes`);
  }
  return { value, attributes };
}

function readAttribute(reader: FieldReader): [name: string, value: string] {
  let name = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) name = reader.text();
    else if (reader.field === 2) value = readAnyValue(reader.message());
  }
  return [name, value];
}

/** A text, truth value or number; what is composed of several is left out. */
function readAnyValue(reader: FieldReader): string {
  let text = '';
  while (reader.next()) {
    if (reader.field === 1) text = reader.text();
    else if (reader.field === 2) text = reader.varint() === 0 ? 'false' : 'true';
    else if (reader.field === 3) text = String(reader.varint());
    else if (reader.field === 4) text = String(reader.double());
  }
  return text;
}
