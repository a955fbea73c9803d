/**
 * What clients have pushed, in Prometheus' text format: each metric under the name that the client gave it, with the
 * client's labels beside its own. Any thread.
 */

import type { ClientSeries, Series } from './client-telemetry.ts';

const ownLabels = ['client_id', 'client_instance_id', 'client_software_name', 'client_software_version'];

/** The lines, or nothing where nobody has pushed any. Names are made such as Prometheus takes. */
export function telemetryText(clients: Iterable<ClientSeries>): string {
  const families = new Map<string, { readonly isCounter: boolean; readonly lines: string[] }>();
  for (const client of clients) {
    const labels = labelsOf(client);
    for (const series of client.series) {
      const name = nameOf(series.name);
      const family = families.get(name) ?? { isCounter: series.isCounter, lines: [] };
      families.set(name, family);
      family.lines.push(`${name}{${[...labels, ...attributesOf(series)].join(',')}} ${numberText(series.value)}`);
    }
  }
  let text = '';
  for (const [name, { isCounter, lines }] of families) {
    text += `# HELP ${name} Told by clients (KIP-714).\n# TYPE ${name} ${isCounter ? 'counter' : 'gauge'}\n`;
    text += `${lines.join('\n')}\n`;
  }
  return text;
}

function labelsOf({ clientId, instanceId, softwareName, softwareVersion }: ClientSeries): string[] {
  const values = [clientId, instanceId, softwareName, softwareVersion];
  return ownLabels.map((name, i) => label(name, values[i] ?? ''));
}

function attributesOf({ attributes }: Series): string[] {
  const seen = new Set(ownLabels);
  const labels: string[] = [];
  for (const [attribute, value] of attributes) {
    const name = nameOf(attribute).replaceAll(':', '_');
    if (seen.has(name)) continue;
    seen.add(name);
    labels.push(label(name, value));
  }
  return labels;
}

function label(name: string, value: string): string {
  return `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function nameOf(name: string): string {
  const legal = name.replaceAll(/[^a-zA-Z0-9_:]/g, '_');
  return /^[a-zA-Z_:]/.test(legal) ? legal : `_${legal}`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
